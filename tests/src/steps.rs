//! Call data of the steps of a transfer in either direction, for whoever plays a facilitator.

use crate::{
    calls::{address, bytes, call, uint, word},
    kind::Kind,
    proof::Proof,
    requesters::Request,
};
use facilitator_eth::{B256, Bytes, keccak256};

/// The acceptance of a request under the hash lock of `secret`, for composer or pool.
pub(crate) fn accept(request: &Request, secret: B256) -> Bytes {
    let ask = &request.ask;
    let arguments = [
        uint(ask.amount),
        address(ask.beneficiary),
        uint(ask.gas_price),
        uint(ask.gas_limit),
        uint(request.nonce),
        address(request.sender),
        address(ask.gateway),
        word(keccak256(secret)),
    ];
    let name = request.kind.pick("acceptStakeRequest", "acceptRedeemRequest");
    call(&format!("{name}(uint256,address,uint256,uint256,uint256,address,address,bytes32)"), &arguments)
}

/// The proof of the source gateway at `height`, for the target gateway.
pub(crate) fn prove(height: u64, proof: &Proof) -> Bytes {
    let arguments = [uint(height), bytes(proof.account.0.clone()), bytes(proof.account_nodes.0.clone())];
    call("proveGateway(uint256,bytes,bytes)", &arguments)
}

/// The confirmation of a message by its storage proof at `height`, for the target gateway. Height and hash lock stand
/// in the other order where a redeem is confirmed.
pub(crate) fn confirm(request: &Request, secret: B256, height: u64, nodes: &Bytes) -> Bytes {
    let Request { kind, proxy, nonce, ask, .. } = request;
    let mut arguments = vec![
        address(*proxy),
        uint(*nonce),
        address(ask.beneficiary),
        uint(ask.amount),
        uint(ask.gas_price),
        uint(ask.gas_limit),
    ];
    let (lock, height, nodes) = (word(keccak256(secret)), uint(height), bytes(nodes.0.clone()));
    let signature = match kind {
        Kind::Stake => {
            arguments.extend([lock, height, nodes]);
            "confirmStakeIntent(address,uint256,address,uint256,uint256,uint256,bytes32,uint256,bytes)"
        }
        Kind::Redeem => {
            arguments.extend([height, lock, nodes]);
            "confirmRedeemIntent(address,uint256,address,uint256,uint256,uint256,uint256,bytes32,bytes)"
        }
    };
    call(signature, &arguments)
}

/// The source leg of a message, for the source gateway.
pub(crate) fn progress_source(kind: Kind, message: B256, secret: B256) -> Bytes {
    with_secret(kind.pick("progressStake", "progressRedeem"), message, secret)
}

/// The target leg of a message, for the target gateway.
pub(crate) fn progress_target(kind: Kind, message: B256, secret: B256) -> Bytes {
    with_secret(kind.pick("progressMint", "progressUnstake"), message, secret)
}

fn with_secret(function: &str, message: B256, secret: B256) -> Bytes {
    call(&format!("{function}(bytes32,bytes32)"), &[word(message), word(secret)])
}
