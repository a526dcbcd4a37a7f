//! What is wrong with an operator's set-up is told at once, by exit code and in one line, and changes nothing.

use anyhow::Result;
use facilitator_tests::{
    devnet::{Devnet, DevnetOptions, Funds},
    operator::{Answer, InitOptions, Operator},
};
use serde_json::{Value, json};
use std::fs;

async fn start(operator: &Operator) -> Result<Answer> {
    operator.run(&["start", "--chain-id", "1406"]).await
}

fn refused(answer: &Answer, code: i32, word: &str) {
    assert_eq!(answer.code, Some(code), "{answer:?}");
    assert!(answer.stderr.contains(word), "does not say {word}: {}", answer.stderr);
}

#[tokio::test]
async fn a_set_up_that_cannot_work_is_refused_with_its_reason() -> Result<()> {
    let devnet = Devnet::start(DevnetOptions::default()).await?;
    let mut operator = Operator::init(&devnet, &InitOptions::direct(&devnet)).await?;
    let worker = operator.origin_workers[0].to_string();
    let good = fs::read(&operator.config)?;

    operator.set_on_chains("confirmation", &json!(1))?;
    refused(&start(&operator).await?, 3, ".confirmation: unknown key");
    fs::write(&operator.config, &good)?;
    operator.set_on_chains("confirmations", &json!("many"))?;
    refused(&start(&operator).await?, 3, ".confirmations: ");
    fs::write(&operator.config, &good)?;

    let nodes = [devnet.origin.url.clone(), devnet.auxiliary.url.clone()];
    operator.edit_config(|config| {
        config["chains"]["3"]["rpc"] = json!([nodes[1]]);
        config["chains"]["1406"]["rpc"] = json!([nodes[0]]);
    })?;
    refused(&start(&operator).await?, 7, "1406");
    fs::write(&operator.config, &good)?;

    let variable = format!("MOSAIC_ADDRESS_PASSW_{worker}");
    operator.set_variable(&variable, "not the password");
    let answer = start(&operator).await?;
    refused(&answer, 6, &worker);
    assert!(!answer.stderr.contains("not the password"), "shows the password");
    assert_eq!(fs::read(&operator.config)?, good, "the config was changed");
    Ok(())
}

#[tokio::test]
async fn init_is_whole_or_not_at_all_and_never_overwrites() -> Result<()> {
    let devnet = Devnet::start(DevnetOptions::default()).await?;
    let operator = Operator::init(&devnet, &InitOptions::direct(&devnet)).await?;
    let before = fs::read(&operator.config)?;
    let mosaic = operator.home().join("mosaic-config.json").to_string_lossy().into_owned();
    let chain = ["--chain-id", "1406", "--origin-rpc", &devnet.origin.url, "--aux-rpc", &devnet.auxiliary.url];
    let again: Vec<&str> = ["init", "--light-kdf", "--mosaic-config", &mosaic].into_iter().chain(chain).collect();
    assert_eq!(operator.run(&again).await?.code, Some(1), "an existing config must stay");
    assert_eq!(fs::read(&operator.config)?, before);

    let ticket = operator.home().join("ticket.json").to_string_lossy().into_owned();
    fs::write(&ticket, serde_json::to_vec(&devnet.ticket_mosaic_config())?)?;
    let other = operator.home().join("other/facilitator-config.json").to_string_lossy().into_owned();
    let with_ticket =
        ["init", "--light-kdf", "--json", "--force", "--mosaic-config", &ticket, "--facilitator-config", &other];
    let told = operator.ask(&with_ticket.into_iter().chain(chain).collect::<Vec<_>>()).await?;
    assert_eq!(told["origin"]["chain_id"], 3, "{told}");
    assert!(!fs::read_to_string(&other)?.contains("origin password"), "holds a password");
    Ok(())
}

#[tokio::test]
async fn commands_without_a_daemon_answer_as_documented() -> Result<()> {
    let devnet = Devnet::start(DevnetOptions::default()).await?;
    let operator = Operator::init(&devnet, &InitOptions::direct(&devnet)).await?;
    assert_eq!(operator.run(&["stop", "--chain-id", "1406"]).await?.code, Some(5));
    assert_eq!(operator.run(&["begin"]).await?.code, Some(2));
    assert_eq!(operator.ask(&["list", "--json"]).await?, json!([]));
    let version = operator.run(&["-V"]).await?;
    assert_eq!((version.code, version.stdout.starts_with("facilitator ")), (Some(0), true), "{version:?}");
    // Nobody is whitelisted or funded yet.
    let answer = operator.doctor().await?;
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.stdout.contains("whitelist"), "{}", answer.stdout);
    Ok(())
}

#[tokio::test]
async fn doctor_finds_a_gateway_that_is_none() -> Result<()> {
    let devnet = Devnet::start(DevnetOptions::default()).await?;
    let operator = Operator::init(&devnet, &InitOptions::direct(&devnet)).await?;
    devnet.enroll(&operator.origin_workers, &operator.auxiliary_workers, Funds::default()).await?;
    let answer = operator.doctor().await?;
    assert_eq!(answer.code, Some(0), "{answer:?}");

    let path = operator.config.with_file_name("mosaic-config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path)?)?;
    let contracts = &mut config["auxiliaryChains"]["1406"]["contractAddresses"];
    contracts["origin"]["eip20GatewayAddress"] = json!(devnet.contracts.origin.base_token);
    fs::write(&path, serde_json::to_vec(&config)?)?;
    let answer = operator.doctor().await?;
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.stdout.to_lowercase().contains("gateway"), "{}", answer.stdout);
    Ok(())
}
