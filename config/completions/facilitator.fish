# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_facilitator_global_optspecs
    string join \n log-level= log-format= h/help V/version
end

function __fish_facilitator_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_facilitator_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_facilitator_using_subcommand
    set -l cmd (__fish_facilitator_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c facilitator -n "__fish_facilitator_needs_command" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_needs_command" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_needs_command" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "init" -d 'Create worker keys and the configuration of a chain pair'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "adopt" -d 'Take over the configuration of the earlier, TypeScript facilitator, which has no hash-lock key'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "start" -d 'Run the facilitator of one or more chain pairs'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "stop" -d 'End a running facilitator in order and wait for its end'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "list" -d 'List the running facilitators'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "status" -d 'Show how a facilitator is doing: chains, processes, queue, the oldest unfinished request and why it waits'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "sync" -d 'How the two chains are synchronised with each other'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "requests" -d 'Look at requests, or try one again'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "ledger" -d 'Show what was earned and spent: bounties, rewards and gas, per gateway, period and asset'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "doctor" -d 'Check configuration, database, nodes, contracts, whitelisting, balances and allowances'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "connections" -d 'Show the endpoints of both chains: health, heights, calls, errors, and which one is read'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "monitor" -d 'Watch the gateways of a chain pair and everybody\'s work on them, and tell whoever is to know'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "scanner" -d 'What an operator decides about the reading of a chain'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "recover" -d 'Rebuild a lost or damaged database from both chains and the configuration'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "maintenance" -d 'Take an instance out of service for a while, and back'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "stats" -d 'Show the instances that share the database: status, transactions signed, downtime'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "params" -d 'Show or change what the life of the instances goes by. It counts for all of them at once'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "deregister" -d 'End an instance for good: it signs nothing any more, and another one takes its requests over'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "db" -d 'Look after the database: bring its schema up to date, check it, or move it to another one'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "completions" -d 'Print shell completions'
complete -c facilitator -n "__fish_facilitator_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l mosaic-config -d 'Mosaic config with the contracts of the chain pair' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l gateway-config -d 'Gateway config of a gateway beside OST\'s own' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l origin-rpc -d 'A node of the origin chain; may be given several times' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l aux-rpc -d 'A node of the auxiliary chain; may be given several times' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l origin-password -d 'Password of the origin workers. Other users of this machine can see it in the process list: prefer MOSAIC_ORIGIN_PASSWORD or the prompt' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l aux-password -d 'Password of the auxiliary workers; see --origin-password' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l db-path -d 'SQLite database instead of <home>/<AUX>/facilitator.db' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l db-url -d 'Database server, e.g. postgres://host/name' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l db-username -d 'User of the database server' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l db-password -d 'Password of the database server' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l facilitator-config -d 'Where to write the facilitator config' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l join -d 'Take the hash-lock key over from the config of another instance of the same operator' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l workers -d 'Worker keys for each chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l light-kdf -d 'Encrypt with cheap parameters: fast, weak, for tests'
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l force -d 'Replace files that exist, keeping a backup of each'
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand init" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand adopt" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand adopt" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand adopt" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand adopt" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand adopt" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand adopt" -l light-kdf -d 'Encrypt with cheap parameters: fast, weak, for tests'
complete -c facilitator -n "__fish_facilitator_using_subcommand adopt" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand adopt" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand adopt" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand start" -l chain-id -d 'Id of the auxiliary chain; may be given several times. Without it all configured chains are started' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand start" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand start" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand start" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand start" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand start" -l monitor -d 'Also watch the gateways, as `facilitator monitor` does. Without nodes of its own it asks those of `chains`'
complete -c facilitator -n "__fish_facilitator_using_subcommand start" -l detach -d 'Return once it is ready and let it run in the background, logging to <home>/<AUX>/facilitator.log'
complete -c facilitator -n "__fish_facilitator_using_subcommand start" -l json -d 'Print the ready line as JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand start" -l passwords-from-stdin -d 'Read the passwords as lines `address password` from standard input: how `start` hands them to its own children'
complete -c facilitator -n "__fish_facilitator_using_subcommand start" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand start" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand stop" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand stop" -l timeout -d 'Seconds to wait for the end' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand stop" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand stop" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand stop" -l all -d 'End all running facilitators of this home'
complete -c facilitator -n "__fish_facilitator_using_subcommand stop" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand stop" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand list" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand list" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand list" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand list" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand status" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand status" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand status" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand status" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand status" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand status" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand status" -l watch -d 'Show it again every two seconds until interrupted; a terminal gives its whole screen, and has it back afterwards'
complete -c facilitator -n "__fish_facilitator_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand status" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and not __fish_seen_subcommand_from status help" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and not __fish_seen_subcommand_from status help" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and not __fish_seen_subcommand_from status help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and not __fish_seen_subcommand_from status help" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and not __fish_seen_subcommand_from status help" -f -a "status" -d 'Show stage, heights and what each chain waits for. No work is done before both are in stage `working`'
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and not __fish_seen_subcommand_from status help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and __fish_seen_subcommand_from status" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and __fish_seen_subcommand_from status" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and __fish_seen_subcommand_from status" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and __fish_seen_subcommand_from status" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and __fish_seen_subcommand_from status" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and __fish_seen_subcommand_from status" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and __fish_seen_subcommand_from status" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show stage, heights and what each chain waits for. No work is done before both are in stage `working`'
complete -c facilitator -n "__fish_facilitator_using_subcommand sync; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and not __fish_seen_subcommand_from list show retry help" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and not __fish_seen_subcommand_from list show retry help" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and not __fish_seen_subcommand_from list show retry help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and not __fish_seen_subcommand_from list show retry help" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and not __fish_seen_subcommand_from list show retry help" -f -a "list" -d 'List requests, newest last'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and not __fish_seen_subcommand_from list show retry help" -f -a "show" -d 'Show the whole life of a request: steps, transactions, gas, reward, what it waits for and what happens next'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and not __fish_seen_subcommand_from list show retry help" -f -a "retry" -d 'Take a request up again now: one that waits, failed, or was skipped'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and not __fish_seen_subcommand_from list show retry help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from list" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from list" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from list" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from list" -l state -d 'Only those in this state, e.g. COMPLETE' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from list" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from list" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from show" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from show" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from show" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from show" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from show" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from retry" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from retry" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from retry" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from retry" -l state -d 'All requests in this state, e.g. SKIPPED' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from retry" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from retry" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from retry" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from retry" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from retry" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from help" -f -a "list" -d 'List requests, newest last'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show the whole life of a request: steps, transactions, gas, reward, what it waits for and what happens next'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from help" -f -a "retry" -d 'Take a request up again now: one that waits, failed, or was skipped'
complete -c facilitator -n "__fish_facilitator_using_subcommand requests; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c facilitator -n "__fish_facilitator_using_subcommand ledger" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand ledger" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand ledger" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand ledger" -l since -d 'Only transactions from then on: a date (2026-01-31) or time (2026-01-31T12:00:00Z) in UTC, or how long ago (36h, 7d)' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand ledger" -l period -d 'What to add up: days, months, or everything' -r -f -a "day\t'A day in UTC'
month\t'A month in UTC'
all\t'Everything'"
complete -c facilitator -n "__fish_facilitator_using_subcommand ledger" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand ledger" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand ledger" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand ledger" -l csv -d 'Print comma-separated values: a heading, one line for each period, gateway and asset, no totals'
complete -c facilitator -n "__fish_facilitator_using_subcommand ledger" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand ledger" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand doctor" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand doctor" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand doctor" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand doctor" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand doctor" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand doctor" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand doctor" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand connections" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand connections" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand connections" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand connections" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand connections" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand connections" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand connections" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand connections" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand monitor" -l chain-id -d 'Id of the auxiliary chain; may be left out if only one is configured' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand monitor" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand monitor" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand monitor" -l interval -d 'Seconds between two runs' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand monitor" -l from-block -d 'Begin at this block of each chain that was not watched before, instead of at its newest blocks' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand monitor" -l data-dir -d 'Folder for a JSON file in which to keep what was done, instead of the database' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand monitor" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand monitor" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand monitor" -l once -d 'One run; exit code 1 if anything failed'
complete -c facilitator -n "__fish_facilitator_using_subcommand monitor" -l json -d 'Print a failure to begin as JSON; reports always are'
complete -c facilitator -n "__fish_facilitator_using_subcommand monitor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand monitor" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and not __fish_seen_subcommand_from rewind help" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and not __fish_seen_subcommand_from rewind help" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and not __fish_seen_subcommand_from rewind help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and not __fish_seen_subcommand_from rewind help" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and not __fish_seen_subcommand_from rewind help" -f -a "rewind" -d 'Go back to a block and read the chain again from there'
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and not __fish_seen_subcommand_from rewind help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and __fish_seen_subcommand_from rewind" -l chain-id -d 'Id of the chain to rewind: of the auxiliary chain, or of the origin chain of a configured pair' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and __fish_seen_subcommand_from rewind" -l to -d 'The newest block to keep' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and __fish_seen_subcommand_from rewind" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and __fish_seen_subcommand_from rewind" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and __fish_seen_subcommand_from rewind" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and __fish_seen_subcommand_from rewind" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and __fish_seen_subcommand_from rewind" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and __fish_seen_subcommand_from rewind" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and __fish_seen_subcommand_from rewind" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and __fish_seen_subcommand_from help" -f -a "rewind" -d 'Go back to a block and read the chain again from there'
complete -c facilitator -n "__fish_facilitator_using_subcommand scanner; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c facilitator -n "__fish_facilitator_using_subcommand recover" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand recover" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand recover" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand recover" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand recover" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand recover" -l set-aside -d 'Keep the present database under another name beside it, and rebuild in a new one'
complete -c facilitator -n "__fish_facilitator_using_subcommand recover" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand recover" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand recover" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and not __fish_seen_subcommand_from request cancel end help" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and not __fish_seen_subcommand_from request cancel end help" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and not __fish_seen_subcommand_from request cancel end help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and not __fish_seen_subcommand_from request cancel end help" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and not __fish_seen_subcommand_from request cancel end help" -f -a "request" -d 'Ask for maintenance: from the next maintenance tick on the instance signs nothing, and others take its requests'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and not __fish_seen_subcommand_from request cancel end help" -f -a "cancel" -d 'Take a request for maintenance back, as long as it has not begun'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and not __fish_seen_subcommand_from request cancel end help" -f -a "end" -d 'End the maintenance. A start of the instance does so too'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and not __fish_seen_subcommand_from request cancel end help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from request" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from request" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from request" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from request" -l instance -d 'Name of the instance; that of the config if it is left out. `facilitator stats` lists them' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from request" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from request" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from request" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from request" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from request" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from cancel" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from cancel" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from cancel" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from cancel" -l instance -d 'Name of the instance; that of the config if it is left out. `facilitator stats` lists them' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from cancel" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from cancel" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from cancel" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from cancel" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from end" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from end" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from end" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from end" -l instance -d 'Name of the instance; that of the config if it is left out. `facilitator stats` lists them' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from end" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from end" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from end" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from end" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from end" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "request" -d 'Ask for maintenance: from the next maintenance tick on the instance signs nothing, and others take its requests'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "cancel" -d 'Take a request for maintenance back, as long as it has not begun'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "end" -d 'End the maintenance. A start of the instance does so too'
complete -c facilitator -n "__fish_facilitator_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c facilitator -n "__fish_facilitator_using_subcommand stats" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand stats" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand stats" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand stats" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand stats" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand stats" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand stats" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and not __fish_seen_subcommand_from get set help" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and not __fish_seen_subcommand_from get set help" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and not __fish_seen_subcommand_from get set help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and not __fish_seen_subcommand_from get set help" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and not __fish_seen_subcommand_from get set help" -f -a "get" -d 'Show one parameter, or all'
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and not __fish_seen_subcommand_from get set help" -f -a "set" -d 'Change a parameter, for all instances'
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and not __fish_seen_subcommand_from get set help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from get" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from get" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from get" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from get" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from get" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from get" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from get" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from set" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from set" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from set" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from set" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from set" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from set" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from set" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from help" -f -a "get" -d 'Show one parameter, or all'
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from help" -f -a "set" -d 'Change a parameter, for all instances'
complete -c facilitator -n "__fish_facilitator_using_subcommand params; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c facilitator -n "__fish_facilitator_using_subcommand deregister" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand deregister" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand deregister" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand deregister" -l instance -d 'Name of the instance; that of the config if it is left out. `facilitator stats` lists them' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand deregister" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand deregister" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand deregister" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand deregister" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand deregister" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and not __fish_seen_subcommand_from migrate check copy help" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and not __fish_seen_subcommand_from migrate check copy help" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and not __fish_seen_subcommand_from migrate check copy help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and not __fish_seen_subcommand_from migrate check copy help" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and not __fish_seen_subcommand_from migrate check copy help" -f -a "migrate" -d 'Make the database, or bring its schema up to date. `start` does so by itself'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and not __fish_seen_subcommand_from migrate check copy help" -f -a "check" -d 'Read all of it and say whether it is sound. Changes nothing'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and not __fish_seen_subcommand_from migrate check copy help" -f -a "copy" -d 'Copy everything into another, empty database: from a file to a server, or back'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and not __fish_seen_subcommand_from migrate check copy help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from migrate" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from migrate" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from migrate" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from migrate" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from migrate" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from migrate" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from migrate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from migrate" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from check" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from check" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from check" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from check" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from check" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from check" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from copy" -l chain-id -d 'Id of the auxiliary chain' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from copy" -l facilitator-config -d 'Facilitator config instead of <home>/<AUX>/facilitator-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from copy" -l mosaic-config -d 'Mosaic config instead of <home>/<AUX>/mosaic-config.json' -r -F
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from copy" -l to -d 'Where to: postgres://user@host/database, or the path of a file. A password in it is visible in the process list; better set PGPASSWORD' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from copy" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from copy" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from copy" -l json -d 'Print JSON'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from copy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from copy" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "migrate" -d 'Make the database, or bring its schema up to date. `start` does so by itself'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "check" -d 'Read all of it and say whether it is sound. Changes nothing'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "copy" -d 'Copy everything into another, empty database: from a file to a server, or back'
complete -c facilitator -n "__fish_facilitator_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c facilitator -n "__fish_facilitator_using_subcommand completions" -l log-level -d 'What is logged to standard error: error, warn, info, debug, trace, or a filter such as `info,facilitator_sender=debug`. `RUST_LOG` does the same' -r
complete -c facilitator -n "__fish_facilitator_using_subcommand completions" -l log-format -d 'How log lines look' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c facilitator -n "__fish_facilitator_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c facilitator -n "__fish_facilitator_using_subcommand completions" -s V -l version -d 'Print version'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "init" -d 'Create worker keys and the configuration of a chain pair'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "adopt" -d 'Take over the configuration of the earlier, TypeScript facilitator, which has no hash-lock key'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "start" -d 'Run the facilitator of one or more chain pairs'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "stop" -d 'End a running facilitator in order and wait for its end'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "list" -d 'List the running facilitators'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "status" -d 'Show how a facilitator is doing: chains, processes, queue, the oldest unfinished request and why it waits'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "sync" -d 'How the two chains are synchronised with each other'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "requests" -d 'Look at requests, or try one again'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "ledger" -d 'Show what was earned and spent: bounties, rewards and gas, per gateway, period and asset'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "doctor" -d 'Check configuration, database, nodes, contracts, whitelisting, balances and allowances'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "connections" -d 'Show the endpoints of both chains: health, heights, calls, errors, and which one is read'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "monitor" -d 'Watch the gateways of a chain pair and everybody\'s work on them, and tell whoever is to know'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "scanner" -d 'What an operator decides about the reading of a chain'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "recover" -d 'Rebuild a lost or damaged database from both chains and the configuration'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "maintenance" -d 'Take an instance out of service for a while, and back'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "stats" -d 'Show the instances that share the database: status, transactions signed, downtime'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "params" -d 'Show or change what the life of the instances goes by. It counts for all of them at once'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "deregister" -d 'End an instance for good: it signs nothing any more, and another one takes its requests over'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "db" -d 'Look after the database: bring its schema up to date, check it, or move it to another one'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "completions" -d 'Print shell completions'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and not __fish_seen_subcommand_from init adopt start stop list status sync requests ledger doctor connections monitor scanner recover maintenance stats params deregister db completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and __fish_seen_subcommand_from sync" -f -a "status" -d 'Show stage, heights and what each chain waits for. No work is done before both are in stage `working`'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and __fish_seen_subcommand_from requests" -f -a "list" -d 'List requests, newest last'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and __fish_seen_subcommand_from requests" -f -a "show" -d 'Show the whole life of a request: steps, transactions, gas, reward, what it waits for and what happens next'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and __fish_seen_subcommand_from requests" -f -a "retry" -d 'Take a request up again now: one that waits, failed, or was skipped'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and __fish_seen_subcommand_from scanner" -f -a "rewind" -d 'Go back to a block and read the chain again from there'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and __fish_seen_subcommand_from maintenance" -f -a "request" -d 'Ask for maintenance: from the next maintenance tick on the instance signs nothing, and others take its requests'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and __fish_seen_subcommand_from maintenance" -f -a "cancel" -d 'Take a request for maintenance back, as long as it has not begun'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and __fish_seen_subcommand_from maintenance" -f -a "end" -d 'End the maintenance. A start of the instance does so too'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and __fish_seen_subcommand_from params" -f -a "get" -d 'Show one parameter, or all'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and __fish_seen_subcommand_from params" -f -a "set" -d 'Change a parameter, for all instances'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "migrate" -d 'Make the database, or bring its schema up to date. `start` does so by itself'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "check" -d 'Read all of it and say whether it is sound. Changes nothing'
complete -c facilitator -n "__fish_facilitator_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "copy" -d 'Copy everything into another, empty database: from a file to a server, or back'
