//! Events of EIP20Gateway (origin) and EIP20CoGateway (auxiliary): the life of messages.

use super::event;
use facilitator_eth::{Address, B256, U256};

event! {
    /// A stake message stands in the gateway's outbox. Gas price, gas limit and hash lock are not in it: `messages(hash)`.
    StakeIntentDeclared(
        "StakeIntentDeclared(bytes32,address,uint256,address,uint256)",
        "1dc8ba34c8d75b6e750df7dadcf65dd6d6a7910483bcea2779971f587bade954"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the staker's proxy, or a direct staker.
        staker: Address = address,
        /// Nonce of the message.
        nonce: U256 = uint,
        /// Who gets the tokens on the other chain.
        beneficiary: Address = address,
        /// Tokens moved, smallest units.
        amount: U256 = uint,
    }
}

event! {
    /// The stake's source leg is done: the amount is in the vault, the bounty with the caller.
    StakeProgressed(
        "StakeProgressed(bytes32,address,uint256,uint256,bool,bytes32)",
        "dad617859b2a7c1564706e0938a2689fb1e47e43494954d08b90fb7dff784a8b"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the staker's proxy, or a direct staker.
        staker: Address = address,
        /// Nonce of the message.
        nonce: U256 = uint,
        /// Tokens moved, smallest units.
        amount: U256 = uint,
        /// Whether it was progressed by proof instead of the secret.
        proof_progress: bool = boolean,
        /// The secret, now public; zero if progressed by proof.
        unlock_secret: B256 = word,
    }
}

event! {
    /// A direct staker asks to revoke a message.
    RevertStakeIntentDeclared(
        "RevertStakeIntentDeclared(bytes32,address,uint256,uint256)",
        "7db334432ffc05820ab5581a94da967946ca219ccb89a376bbfff75d7bf15592"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the staker's proxy, or a direct staker.
        staker: Address = address,
        /// Nonce of the message.
        nonce: U256 = uint,
        /// Tokens moved, smallest units.
        amount: U256 = uint,
    }
}

event! {
    /// A stake is revoked; the amount is back with the staker, the bounty burned.
    StakeReverted(
        "StakeReverted(bytes32,address,uint256,uint256)",
        "4259cc74a1169febcb3cb858142524599da133401841e489e8add6adbb273b4a"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the staker's proxy, or a direct staker.
        staker: Address = address,
        /// Nonce of the message.
        nonce: U256 = uint,
        /// Tokens moved, smallest units.
        amount: U256 = uint,
    }
}

event! {
    /// A redeem message stands in the gateway's inbox.
    RedeemIntentConfirmed(
        "RedeemIntentConfirmed(bytes32,address,uint256,address,uint256,uint256,bytes32)",
        "ba4ac3e715e17f26685ca6074bc68752bdaf9c2ed6d196b7c8ebf0a445601a9c"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the redeemer's proxy, or a direct redeemer.
        redeemer: Address = address,
        /// Nonce of the message.
        nonce: U256 = uint,
        /// Who gets the tokens on the other chain.
        beneficiary: Address = address,
        /// Tokens moved, smallest units.
        amount: U256 = uint,
        /// Height of the other chain whose root was used.
        block_height: u64 = uint64,
        /// Hash of the unlock secret.
        hash_lock: B256 = word,
    }
}

event! {
    /// The redeem's target leg is done: beneficiary and caller are paid from the vault.
    UnstakeProgressed(
        "UnstakeProgressed(bytes32,address,address,uint256,uint256,uint256,bool,bytes32)",
        "2c66eee0de9967ff72fb960370f68331f353fcd49c1cf2b39257616093a3c740"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the redeemer's proxy, or a direct redeemer.
        redeemer: Address = address,
        /// Who gets the tokens on the other chain.
        beneficiary: Address = address,
        /// Tokens redeemed, smallest units.
        redeem_amount: U256 = uint,
        /// Tokens paid to the beneficiary, smallest units.
        unstake_amount: U256 = uint,
        /// Tokens paid to the facilitator, smallest units.
        reward_amount: U256 = uint,
        /// Whether it was progressed by proof instead of the secret.
        proof_progress: bool = boolean,
        /// The secret, now public; zero if progressed by proof.
        unlock_secret: B256 = word,
    }
}

event! {
    /// The revocation of a redeem is confirmed.
    RevertRedeemIntentConfirmed(
        "RevertRedeemIntentConfirmed(bytes32,address,uint256,uint256)",
        "12021c0985bb18bfab585272868c2e2ae2db7b7bae483560daa5b51788a5decc"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the redeemer's proxy, or a direct redeemer.
        redeemer: Address = address,
        /// Nonce of the message.
        nonce: U256 = uint,
        /// Tokens moved, smallest units.
        amount: U256 = uint,
    }
}

event! {
    /// Declared by the gateway, never emitted.
    RevertRedeemComplete(
        "RevertRedeemComplete(bytes32,address,uint256,uint256)",
        "e280faf7f01ec6833598731de2dbe6ac277b4838db5ba1041522943a24ba1c26"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the redeemer's proxy, or a direct redeemer.
        redeemer: Address = address,
        /// Nonce of the message.
        nonce: U256 = uint,
        /// Tokens moved, smallest units.
        amount: U256 = uint,
    }
}

event! {
    /// A stake message stands in the cogateway's inbox.
    StakeIntentConfirmed(
        "StakeIntentConfirmed(bytes32,address,uint256,address,uint256,uint256,bytes32)",
        "09c429eb0c6ace051a7e464a0add3664c55a8482b93816fdcbdf92f5d7ceb81e"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the staker's proxy, or a direct staker.
        staker: Address = address,
        /// Nonce of the message.
        nonce: U256 = uint,
        /// Who gets the tokens on the other chain.
        beneficiary: Address = address,
        /// Tokens moved, smallest units.
        amount: U256 = uint,
        /// Height of the other chain whose root was used.
        block_height: u64 = uint64,
        /// Hash of the unlock secret.
        hash_lock: B256 = word,
    }
}

event! {
    /// The stake's target leg is done: beneficiary and caller have minted tokens.
    MintProgressed(
        "MintProgressed(bytes32,address,address,uint256,uint256,uint256,bool,bytes32)",
        "bf81e8c456a7484e025395ab4e1492b688012d0f5256401f71d9d0a16b5d68d3"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the staker's proxy, or a direct staker.
        staker: Address = address,
        /// Who gets the tokens on the other chain.
        beneficiary: Address = address,
        /// Tokens staked, smallest units.
        stake_amount: U256 = uint,
        /// Tokens minted for the beneficiary, smallest units.
        minted_amount: U256 = uint,
        /// Tokens paid to the facilitator, smallest units.
        reward_amount: U256 = uint,
        /// Whether it was progressed by proof instead of the secret.
        proof_progress: bool = boolean,
        /// The secret, now public; zero if progressed by proof.
        unlock_secret: B256 = word,
    }
}

event! {
    /// The revocation of a stake is confirmed.
    RevertStakeIntentConfirmed(
        "RevertStakeIntentConfirmed(bytes32,address,uint256,uint256)",
        "a7b12d2cec2594d7704b4b4f947ef0c1fae37f5f4aeddbeccb980505b383171f"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the staker's proxy, or a direct staker.
        staker: Address = address,
        /// Nonce of the message.
        nonce: U256 = uint,
        /// Tokens moved, smallest units.
        amount: U256 = uint,
    }
}

event! {
    /// Declared by the cogateway, never emitted.
    RevertStakeProgressed(
        "RevertStakeProgressed(bytes32,address,uint256,uint256)",
        "38b46ad45ee3548a9c5c0e19bec8f2c48c5a9948cb57be47158b8a31bc8c9f6b"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the staker's proxy, or a direct staker.
        staker: Address = address,
        /// Nonce of the message.
        nonce: U256 = uint,
        /// Tokens moved, smallest units.
        amount: U256 = uint,
    }
}

event! {
    /// A redeem message stands in the cogateway's outbox. Gas price, gas limit and hash lock: `messages(hash)`.
    RedeemIntentDeclared(
        "RedeemIntentDeclared(bytes32,address,uint256,address,uint256)",
        "dd1352ae291d8132beec7e4442e4d982729cd2b7aade23ce1810bf36ccfa8559"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the redeemer's proxy, or a direct redeemer.
        redeemer: Address = address,
        /// Nonce of the message.
        nonce: U256 = uint,
        /// Who gets the tokens on the other chain.
        beneficiary: Address = address,
        /// Tokens moved, smallest units.
        amount: U256 = uint,
    }
}

event! {
    /// The redeem's source leg is done: the amount is burned, the bounty with the caller.
    RedeemProgressed(
        "RedeemProgressed(bytes32,address,uint256,uint256,bool,bytes32)",
        "c8a2b315f4d996ac017ddcd7121d5223ecdc6708a97a76c628b391fa0529454e"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the redeemer's proxy, or a direct redeemer.
        redeemer: Address = address,
        /// Nonce of the message.
        nonce: U256 = uint,
        /// Tokens moved, smallest units.
        amount: U256 = uint,
        /// Whether it was progressed by proof instead of the secret.
        proof_progress: bool = boolean,
        /// The secret, now public; zero if progressed by proof.
        unlock_secret: B256 = word,
    }
}

event! {
    /// A direct redeemer asks to revoke a message.
    RevertRedeemDeclared(
        "RevertRedeemDeclared(bytes32,address,uint256,uint256)",
        "eef4349a219b2fc35d071d8fd1b99b01f97f25d9f8338abb5e1f5fb11caef0c7"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the redeemer's proxy, or a direct redeemer.
        redeemer: Address = address,
        /// Nonce of the message.
        nonce: U256 = uint,
        /// Tokens moved, smallest units.
        amount: U256 = uint,
    }
}

event! {
    /// A redeem is revoked; the amount is back with the redeemer, the bounty burned.
    RedeemReverted(
        "RedeemReverted(bytes32,address,uint256,uint256)",
        "15322f88c2092febcece880691350cadb45196819c8604460adf4b0dcc426387"
    )
    indexed {
        /// The message.
        message_hash: B256 = word,
    }
    data {
        /// Sender of the message: the redeemer's proxy, or a direct redeemer.
        redeemer: Address = address,
        /// Nonce of the message.
        nonce: U256 = uint,
        /// Tokens moved, smallest units.
        amount: U256 = uint,
    }
}
