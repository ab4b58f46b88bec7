//! `guildhall up`: a city that a person starts, works in and stops, and that does not outlive its roles.

use std::{fs, process::Command, time::Duration};

use guildhall::city::VISITOR;
use guildhall_protocol::ContentId;
use serde_json::Value;

use crate::support::{
    Desk,
    city::{On, Town},
    up::{RunningCity, UP},
};

#[test]
fn a_city_is_worked_in_from_another_terminal_and_does_not_outlive_its_roles() {
    let desk = Desk::new();
    let city = RunningCity::start(&desk, &["--workers", "1"]);
    assert_eq!(city.said["workers"], 1, "{}", city.said);
    // Nothing but the directory is needed: it names the chain, and the keys open with the city's password.
    let shown = desk.json(&["pool", "show", "1", "--key", "requester"]);
    assert_eq!(shown["members"]["active"], 1, "{shown}");
    tokio::runtime::Runtime::new().unwrap().block_on(a_visitor_finds_what_it_takes(&city.said));
    let output = city.stop();
    assert_eq!(output.status.code(), Some(0), "{}", desk.show(&output));

    fs::write(desk.path().join("workers/1/worker.redb"), "not a journal").unwrap();
    // Bounded: a city that outlives its worker runs until somebody stops it.
    let mut bounded = Command::new("timeout");
    bounded.args(["60", env!("CARGO_BIN_EXE_guildhall")]).args(UP).args(["--workers", "1"]);
    let output = bounded.env_clear().envs(desk.environment()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", desk.show(&output));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let error: Value = said.lines().rev().find_map(|line| serde_json::from_str(line).ok()).unwrap();
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("worker-1 ended: "), "{said}");
    assert!(error["error"]["hint"].is_string(), "{said}");
}

/// Who comes with a browser alone finds the pages, a node that lets them ask, an account with money, offers, and a place for inputs.
async fn a_visitor_finds_what_it_takes(said: &Value) {
    let (gateway, rpc) = (said["gateway"].as_str().unwrap(), said["rpc"].as_str().unwrap());
    let http = reqwest::Client::new();
    let asked = async |path: &str| -> Value {
        let answer = http.get(format!("{gateway}{path}")).send().await.unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    };
    assert_eq!(asked("/api/v1/about").await["rpc"], *rpc);
    let account = asked(&format!("/api/v1/accounts/{VISITOR}")).await;
    for money in ["balance", "tokens", "coins"] {
        assert!(account["now"][money].as_str().unwrap().len() > 18, "{money}: {account}");
    }
    let offers = asked("/api/v1/orders?kind=pool").await;
    assert_eq!(offers["items"].as_array().unwrap().len(), 1, "{offers}");
    let ready = async || http.get(format!("{gateway}/health/ready")).send().await.unwrap();
    // The first checks run beside the start.
    let mut health = ready().await;
    for _ in 0..100 {
        if health.status() == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        health = ready().await;
    }
    let health: Value = health.json().await.unwrap();
    assert_eq!(health["gateway.chain"]["status"], "ready", "{health}");
    let pages = http.get(gateway).send().await.unwrap();
    assert_eq!(pages.headers()["content-type"], "text/html; charset=utf-8");
    let id = ContentId::of(b"an input");
    let stored = http.put(format!("{gateway}/api/v1/blobs/{id}")).body("an input").send().await.unwrap();
    assert_eq!(stored.status(), 201);
    let asked = http.request(reqwest::Method::OPTIONS, rpc).header("origin", gateway);
    let allowed = asked.header("access-control-request-method", "POST").send().await.unwrap();
    assert_eq!(allowed.headers()["access-control-allow-origin"], "*");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_city_on_another_chain_says_what_it_costs() {
    let town = Town::found(On::Embedded, 1, None).await;
    let desk = Desk::new();
    let chain = town.city.rpc_url().unwrap();
    tokio::task::block_in_place(|| {
        desk.json(&["key", "new", "alice", "--password-file", "password"]);
        let alice = ["--key", "alice", "--password-file", "password"];
        let up = ["up", "--workers", "3", "--chain", &chain];
        insta::assert_snapshot!("up_without_a_key", desk.told(&up));
        insta::assert_snapshot!("up_without_coins", desk.told(&[&up as &[&str], &alice].concat()));
    });
    assert!(!desk.path().join("deployment.json").exists(), "nothing was deployed");
    town.city.stop().await;
}
