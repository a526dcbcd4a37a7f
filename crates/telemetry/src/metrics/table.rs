//! Every metric, once. `config/metrics.md`, the dashboard and the alert rules are compared with this.

use super::{Kind, Metric, Question, Row};

const fn count(labels: &[&str]) -> usize {
    labels.len()
}

macro_rules! metrics {
    ($($question:ident: $($(#[doc = $help:expr])+ $kind:ident $constant:ident = $name:literal [$($label:literal),*];)+)+) => {
        $($($(#[doc = $help])+ pub const $constant: Metric<{ count(&[$($label),*]) }> =
            Metric { name: $name, labels: [$($label),*] };)+)+

        /// The whole table, grouped by question.
        pub const ALL: &[Row] = &[$($(Row {
            question: Question::$question,
            kind: Kind::$kind,
            name: $name,
            labels: &[$($label),*],
            help: concat!($($help),+).trim_ascii_start(),
        },)+)+];
    };
}

metrics! {
    Alive:
    /// Always 1; the version stands in the label.
    Gauge BUILD_INFO = "facilitator_build_info" ["version"];
    /// 1 while a facilitator runs on the database.
    Gauge RUNNING = "facilitator_running" [];
    /// 1 while both chains are in working mode and requests are worked on.
    Gauge READY = "facilitator_ready" [];
    /// When the facilitator was started, Unix time.
    Gauge START_TIME = "facilitator_start_time_seconds" [];
    /// Time since the parent process reported last; it does so every two seconds.
    Gauge REPORT_AGE = "facilitator_report_age_seconds" [];
    /// Age of what is told from journal and ledger: of completed requests, transactions, earnings and keys.
    Gauge FIGURES_AGE = "facilitator_figures_age_seconds" [];
    /// 1 while the child process does its work; 0 while it prepares, is started again or is quarantined.
    Gauge PROCESS_WORKING = "facilitator_process_working" ["role", "chain"];
    /// 1 while the child process is left alone because it kept dying.
    Gauge PROCESS_QUARANTINED = "facilitator_process_quarantined" ["role", "chain"];
    /// How often the child process was started again since the facilitator was started.
    Counter PROCESS_RESTARTS = "facilitator_process_restarts_total" ["role", "chain"];
    /// Worker processes at work.
    Gauge WORKERS = "facilitator_workers" [];
    /// Most worker processes at a time.
    Gauge WORKERS_MAX = "facilitator_workers_max" [];
    /// 1 for the status that an instance of the operator has; all instances of the database are told.
    Gauge INSTANCE_STATUS = "facilitator_instance_status" ["name", "status"];
    /// 1 while the database refuses what the parent process wants to store.
    Gauge DATABASE_TROUBLE = "facilitator_database_trouble" [];

    Stuck:
    /// Requests by direction and state.
    Gauge REQUESTS = "facilitator_requests" ["kind", "state"];
    /// Requests that have not ended.
    Gauge REQUESTS_UNFINISHED = "facilitator_requests_unfinished" ["kind"];
    /// Requests that have not ended and whose last step failed.
    Gauge REQUESTS_FAILING = "facilitator_requests_failing" ["kind"];
    /// Age of the oldest request that has not ended; 0 if all have.
    Gauge OLDEST_AGE = "facilitator_oldest_unfinished_age_seconds" ["kind"];
    /// Requests that have not ended, by what wakes them: nothing (to be taken up at once), happening (an event or the end of a transaction), root (an anchored state root), clock (the time).
    Gauge REQUESTS_WAITING = "facilitator_requests_waiting" ["reason"];
    /// 1 for the reason for which nothing is claimed, signed or sent: stopped (no facilitator runs), starting, silent (it has not reported for long), stopping, synchronization (the chains are not in step), instance (the status of the instance does not allow it).
    Gauge WORK_BLOCKED = "facilitator_work_blocked" ["reason"];
    /// 1 while a chain is in a condition that an operator must look into.
    Gauge CHAIN_ALARM = "facilitator_chain_alarm" ["chain"];
    /// Completed requests. A fork may take some back, so it is a gauge.
    Gauge COMPLETED = "facilitator_requests_completed" ["kind"];
    /// Time that completed requests took from the reading of their event to their completion, added up. A fork may take some back, so it is a gauge.
    Gauge COMPLETED_SECONDS = "facilitator_requests_completed_duration_seconds" ["kind"];
    /// Transactions of the journal by purpose and state.
    Gauge TRANSACTIONS = "facilitator_transactions" ["chain", "step", "state"];

    Earning:
    /// Gas paid by transactions of the journal, shared among gateways as in the ledger. A fork may take some back, so it is a gauge.
    Gauge LEDGER_GAS = "facilitator_ledger_gas_wei" ["gateway", "chain"];
    /// Rewards earned, in smallest units of the asset. A fork may take some back, so it is a gauge.
    Gauge LEDGER_REWARD = "facilitator_ledger_reward_units" ["gateway", "chain", "asset"];
    /// Bounties put up, in smallest units of the asset.
    Gauge LEDGER_BOUNTY_OUT = "facilitator_ledger_bounty_out_units" ["gateway", "chain", "asset"];
    /// Bounties that came back, in smallest units of the asset.
    Gauge LEDGER_BOUNTY_BACK = "facilitator_ledger_bounty_back_units" ["gateway", "chain", "asset"];
    /// Messages of which an amount can not be told.
    Gauge LEDGER_UNKNOWN = "facilitator_ledger_unknown_messages" [];

    Nodes:
    /// 1 while the chain is in working mode.
    Gauge CHAIN_WORKING = "facilitator_chain_working" ["chain"];
    /// 1 for the state that the connector of the chain is in.
    Gauge CONNECTOR_STATE = "facilitator_connector_state" ["chain", "state"];
    /// Newest block of the chain.
    Gauge HEAD = "facilitator_chain_head_block" ["chain"];
    /// Newest block that is acted upon.
    Gauge FINAL = "facilitator_chain_final_block" ["chain"];
    /// Newest block whose events are stored.
    Gauge SCANNED = "facilitator_chain_scanned_block" ["chain"];
    /// Final blocks whose events are not stored yet.
    Gauge SCAN_LAG = "facilitator_chain_scan_lag_blocks" ["chain"];
    /// Endpoints that are connected.
    Gauge CONNECTED = "facilitator_endpoints_connected" ["chain"];
    /// Endpoints that must be connected before anything begins.
    Gauge CONNECTED_MIN = "facilitator_endpoints_needed" ["chain"];
    /// 1 while the endpoint is well; 0 while it is set aside or was never reached.
    Gauge ENDPOINT_WELL = "facilitator_endpoint_well" ["chain", "endpoint"];
    /// 1 for the endpoint that is read.
    Gauge ENDPOINT_READ = "facilitator_endpoint_read" ["chain", "endpoint"];
    /// Newest block that the endpoint told.
    Gauge ENDPOINT_HEAD = "facilitator_endpoint_head_block" ["chain", "endpoint"];
    /// Blocks that the endpoint is behind the newest one that is known.
    Gauge ENDPOINT_LAG = "facilitator_endpoint_lag_blocks" ["chain", "endpoint"];
    /// Smoothed time of the endpoint's answers.
    Gauge ENDPOINT_LATENCY = "facilitator_endpoint_latency_seconds" ["chain", "endpoint"];
    /// JSON-RPC calls of a process (scanner or sender) since it was started.
    Counter ENDPOINT_CALLS = "facilitator_endpoint_calls_total" ["chain", "endpoint", "role"];
    /// HTTP requests of a process since it was started.
    Counter ENDPOINT_REQUESTS = "facilitator_endpoint_requests_total" ["chain", "endpoint", "role"];
    /// Those of them that were not answered usably.
    Counter ENDPOINT_ERRORS = "facilitator_endpoint_errors_total" ["chain", "endpoint", "role"];

    Keys:
    /// Base coin of the worker key as last read.
    Gauge KEY_BALANCE = "facilitator_key_balance_wei" ["chain", "account"];
    /// Bounty tokens of the worker key as last read, in smallest units of each token.
    Gauge KEY_BOUNTY_TOKEN = "facilitator_key_bounty_token_balance_units" ["chain", "account", "token"];
    /// The nonce of the key's next transaction, as the journal knows it.
    Gauge KEY_NEXT_NONCE = "facilitator_key_next_nonce" ["chain", "account"];
    /// Transactions of the key that are signed and not mined.
    Gauge KEY_PENDING = "facilitator_key_pending_transactions" ["chain", "account"];
    /// Time since the oldest of them was signed first with its present nonce; 0 if there is none.
    Gauge KEY_PENDING_AGE = "facilitator_key_pending_age_seconds" ["chain", "account"];
    /// Transactions that the key has signed, replacements included.
    Counter KEY_SIGNED = "facilitator_key_signed_total" ["chain", "account"];
    /// Replacements of stuck transactions among them: signed again with the same nonce.
    Counter KEY_REPLACEMENTS = "facilitator_key_replacements_total" ["chain", "account"];
    /// Gas that the key paid in the last 24 hours.
    Gauge KEY_GAS_DAY = "facilitator_key_gas_last_day_wei" ["chain", "account"];
    /// How long the balance lasts if the key goes on spending as in the last 24 hours, or since its first transaction if that is less; +Inf if it spent nothing.
    Gauge KEY_RUNWAY = "facilitator_key_runway_hours" ["chain", "account"];
}
