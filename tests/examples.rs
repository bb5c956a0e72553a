//! Every example is built, run, and says what it should.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{path::PathBuf, time::Duration};

use tokio::{process::Command, sync::OnceCell, time::timeout};

/// What the example prints; it ends well, by itself.
async fn printed(example: &str) -> String {
    let output = Command::new(program(example).await).kill_on_drop(true).output();
    let output = timeout(Duration::from_secs(60), output).await.expect("it ends").unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn an_axum_server_answers_for_a_stuck_handler() {
    let text = printed("axum_server").await;
    assert!(text.contains("200 OK: hello"), "{text}");
    assert!(text.contains("504 Gateway Timeout"), "{text}");
}

#[tokio::test]
async fn a_hyper_client_outlives_two_failures() {
    let text = printed("hyper_client").await;
    assert!(text.contains("200 OK: answered call 3"), "{text}");
}

#[tokio::test]
async fn a_reqwest_client_stops_asking_where_nobody_listens() {
    let text = printed("reqwest_client").await;
    assert!(text.contains("not sent: "), "{text}");
}

#[tokio::test]
async fn a_tonic_server_says_that_it_serves() {
    let text = printed("tonic_server").await;
    assert!(text.contains("shop: Serving"), "{text}");
}

#[tokio::test]
async fn a_layer_of_ones_own_obeys_laws() {
    let text = printed("own_layer").await;
    assert!(text.contains("gives all back on drop"), "{text}");
}

/// The built example. Cargo builds all of them with all tests, but not when one test target is
/// chosen; building again what is there takes no time.
pub(crate) async fn program(example: &str) -> PathBuf {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    let build = async || {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--workspace", "--all-features", "--examples"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().await;
        assert!(built.unwrap().success());
        let this = std::env::current_exe().unwrap();
        this.ancestors().nth(2).unwrap().join("examples")
    };
    BUILT.get_or_init(build).await.join(example)
}
