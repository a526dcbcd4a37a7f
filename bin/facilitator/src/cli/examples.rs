//! What stands below the help of each command: examples, and which command comes next.
//!
//! Every line that begins with `facilitator` is read by the parser in a test.

pub(crate) const MAIN: &str = "\
A first run, with the contracts of the pair in mosaic-config.json:
  facilitator init --mosaic-config mosaic-config.json --chain-id 1406 \\
      --origin-rpc http://127.0.0.1:8545 --aux-rpc http://127.0.0.1:8546
  facilitator doctor --chain-id 1406
  facilitator start --chain-id 1406 --detach
  facilitator status --chain-id 1406

What is stuck, and why:
  facilitator status --chain-id 1406
  facilitator requests show --chain-id 1406 HASH

Files stand in MOSAIC_HOME, else in $HOME/.mosaic. What the exit codes mean stands in facilitator(1), under EXIT STATUS, \
and in the book.";

pub(crate) const INIT: &str = "\
Examples:
  facilitator init --mosaic-config mosaic-config.json --chain-id 1406 \\
      --origin-rpc http://127.0.0.1:8545 --aux-rpc http://127.0.0.1:8546
  facilitator init --gateway-config brand.json --chain-id 1406 \\
      --origin-rpc http://10.0.0.1:8545 --origin-rpc http://10.0.0.2:8545 \\
      --aux-rpc http://10.0.0.1:8546

A further instance of the same operator, with worker keys of its own:
  facilitator init --mosaic-config mosaic-config.json --chain-id 1406 \\
      --join first/facilitator-config.json \\
      --origin-rpc http://127.0.0.1:8545 --aux-rpc http://127.0.0.1:8546

Back the written config up: the hash-lock key in it is needed to finish what was accepted.
Next: `facilitator doctor` says what is still missing.";

pub(crate) const ADOPT: &str = "\
Examples:
  facilitator adopt --chain-id 1406
  facilitator adopt --chain-id 1406 --facilitator-config old/facilitator-config.json

Of several instances of one operator one adopts; the others take its key over with `facilitator init --join`.
Next: `facilitator doctor` says what is still missing.";

pub(crate) const START: &str = "\
Examples:
  facilitator start --chain-id 1406            in the foreground, for a service manager
  facilitator start --chain-id 1406 --detach   returns once it is ready
  facilitator start                            all configured chain pairs

Stopped or killed at any moment, it goes on from there with the next start.
Next: `facilitator status` shows how it is doing; if it is never ready, `facilitator sync status` says what it waits \
for and `facilitator doctor` how to mend that.";

pub(crate) const STOP: &str = "\
Examples:
  facilitator stop --chain-id 1406
  facilitator stop --all --timeout 120

Requests in flight are not lost: the next start takes them up where the chains say they stand.
Next: `facilitator start` starts it again. Of several instances, have one hand over what it does first: `facilitator \
maintenance request`.";

pub(crate) const LIST: &str = "\
Examples:
  facilitator list
  facilitator list --json

Next: `facilitator status` shows one of them closely, `facilitator stop` ends it.";

pub(crate) const STATUS: &str = "\
Examples:
  facilitator status --chain-id 1406
  facilitator status --chain-id 1406 --watch

Read from the database alone, so it answers also while both nodes are down.
Next: `facilitator requests show` tells the whole life of a request that it names, `facilitator connections` why an \
endpoint is not used.";

pub(crate) const REQUESTS: &str = "\
Examples:
  facilitator requests list --chain-id 1406 --state SKIPPED
  facilitator requests show --chain-id 1406 0x2eea0955
  facilitator requests retry --chain-id 1406 --state SKIPPED

States: REQUESTED, ACCEPTED, ACCOUNT_PROVEN, STAKE_INTENT_CONFIRMED (of redeems: REDEEM_INTENT_CONFIRMED), \
PROGRESS_STAKE, PROGRESS_MINT (PROGRESS_REDEEM, PROGRESS_UNSTAKE), COMPLETE; each step with _FAILED; SKIPPED, \
TAKEN_BY_OTHER, REVOKED, REJECTED, UNKNOWN.";

pub(crate) const REQUESTS_LIST: &str = "\
Examples:
  facilitator requests list --chain-id 1406
  facilitator requests list --chain-id 1406 --state COMPLETE --json

States: as `facilitator requests --help` lists them.
Next: `facilitator requests show` tells of one of them why it is where it is.";

pub(crate) const REQUESTS_SHOW: &str = "\
Examples:
  facilitator requests show --chain-id 1406 0x2eea0955
  facilitator requests show --chain-id 1406 --json 0x2eea0955

Next: it goes on by itself. Once what it names as the reason is mended, `facilitator requests retry` has it looked at \
at once.";

pub(crate) const REQUESTS_RETRY: &str = "\
Examples:
  facilitator requests retry --chain-id 1406 0x2eea0955
  facilitator requests retry --chain-id 1406 --state SKIPPED

What failed is tried again by itself as well, after five minutes at most; what was skipped is not.
Next: `facilitator requests show` says what came of it.";

pub(crate) const LEDGER: &str = "\
Examples:
  facilitator ledger --chain-id 1406
  facilitator ledger --chain-id 1406 --period month --since 2026-01-01
  facilitator ledger --chain-id 1406 --since 7d --csv

Next: if it does not pay, `prices` and `min_profit` in the config say which requests are taken; `facilitator requests \
list --state SKIPPED` shows those that were not.";

pub(crate) const DOCTOR: &str = "\
Examples:
  facilitator doctor --chain-id 1406
  facilitator doctor --chain-id 1406 --json

It changes nothing and sends nothing, and may be run before the first start and at any time later.
Next: mend what it names, run it again, and then `facilitator start`.";

pub(crate) const CONNECTIONS: &str = "\
Examples:
  facilitator connections --chain-id 1406
  facilitator connections --chain-id 1406 --json

Next: `facilitator doctor` asks each endpoint itself, also while no facilitator runs.";

pub(crate) const SYNC: &str = "\
Examples:
  facilitator sync status --chain-id 1406

Next: `facilitator connections` shows the endpoints of a chain that waits for its node.";

pub(crate) const SCANNER: &str = "\
Examples:
  facilitator scanner rewind --chain-id 3 --to 21000000

Next: `facilitator sync status` shows how far it has read again.";

pub(crate) const MONITOR: &str = "\
Examples, with ENVIRONMENT, ETHEREUM_URL and AUXILIARY_URL set:
  facilitator monitor --chain-id 1406                   every minute
  facilitator monitor --chain-id 1406 --once            once, for cron
  facilitator monitor --chain-id 1406 --from-block 21000000

Next: `facilitator start --monitor` does the same beside the facilitator.";

pub(crate) const RECOVER: &str = "\
Examples:
  facilitator recover --chain-id 1406
  facilitator recover --chain-id 1406 --set-aside

Next: `facilitator start` goes on from what was found.";

pub(crate) const MAINTENANCE: &str = "\
Examples:
  facilitator maintenance request --chain-id 1406
  facilitator maintenance cancel --chain-id 1406
  facilitator maintenance end --chain-id 1406 --instance host2-1406

Before work on a host: `request`, wait until `facilitator stats` says in_maintenance, stop it, work, start it again.";

pub(crate) const STATS: &str = "\
Examples:
  facilitator stats --chain-id 1406
  facilitator stats --chain-id 1406 --json

Next: `facilitator maintenance request` takes one out of service, `facilitator deregister` one that is gone for good.";

pub(crate) const PARAMS: &str = "\
Examples:
  facilitator params get --chain-id 1406
  facilitator params set --chain-id 1406 son_heartbeat_frequency 30";

pub(crate) const DEREGISTER: &str = "\
Examples:
  facilitator deregister --chain-id 1406 --instance host2-1406

It can't be taken back: the instance starts again only under another name (`heartbeat.instance`).
Next: `facilitator stats` shows who is left. For a while only, `facilitator maintenance request` does it.";

pub(crate) const DB: &str = "\
Examples:
  facilitator db check --chain-id 1406
  facilitator db migrate --chain-id 1406
  facilitator db copy --chain-id 1406 --to 'postgres://op@db.example/op?sslmode=verify-full'";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  facilitator completions bash > /etc/bash_completion.d/facilitator
  facilitator completions zsh > /usr/local/share/zsh/site-functions/_facilitator
  facilitator completions fish > ~/.config/fish/completions/facilitator.fish

Next: open a new shell. The Debian package brings those of bash, zsh and fish already.";

pub(crate) const MAINTENANCE_REQUEST: &str = "\
Examples:
  facilitator maintenance request --chain-id 1406
  facilitator maintenance request --chain-id 1406 --instance host2-1406

Next: `facilitator stats` says when it is in_maintenance; then `facilitator stop`. The next start ends the maintenance, \
and so does `facilitator maintenance end`.";

pub(crate) const MAINTENANCE_CANCEL: &str = "\
Examples:
  facilitator maintenance cancel --chain-id 1406

Next: `facilitator stats` shows it as active again; if the maintenance has begun already, `facilitator maintenance end`.";

pub(crate) const MAINTENANCE_END: &str = "\
Examples:
  facilitator maintenance end --chain-id 1406
  facilitator maintenance end --chain-id 1406 --instance host2-1406

Next: `facilitator stats` shows whether it is active; one that does not run is found silent and inactive soon.";

pub(crate) const PARAMS_GET: &str = "\
Examples:
  facilitator params get --chain-id 1406
  facilitator params get --chain-id 1406 maintenance_interval_ms

Next: `facilitator params set` changes one.";

pub(crate) const PARAMS_SET: &str = "\
Examples:
  facilitator params set --chain-id 1406 son_heartbeat_frequency 30
  facilitator params set --chain-id 1406 maintenance_interval_ms 60000

Next: `facilitator params get` shows all as they count now.";

pub(crate) const DB_MIGRATE: &str = "\
Examples:
  facilitator db migrate --chain-id 1406

Next: `facilitator start`. An older program does not open the database any more: keep a copy first.";

pub(crate) const DB_CHECK: &str = "\
Examples:
  facilitator db check --chain-id 1406

Next: `facilitator recover --set-aside` rebuilds one that is not sound from both chains; of one on a server it says what \
to do first.";

pub(crate) const DB_COPY: &str = "\
Examples:
  facilitator db copy --chain-id 1406 --to 'postgres://op@db.example/op?sslmode=verify-full'
  facilitator db copy --chain-id 1406 --to /var/lib/facilitator/1406/moved.db

Next: change the config as it says, then `facilitator db check` and `facilitator start`.";
