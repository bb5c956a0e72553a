//! A caching reverse proxy: the rules of HTTP, and how few lines they leave to an application.
//!
//! ```text
//! cargo run --release --example caching_proxy -- --listen 127.0.0.1:8080 --upstream http://127.0.0.1:9000
//! ```
//!
//! ```text
//!   caller --> listener --> respond --> proxy --> cache --> timeout --> client --> upstream
//! ```
//!
//! `stack.rs` is what one would write oneself. Every method, every status, interim answers (1xx),
//! bodies and trailers go through it; a body that is expected to be asked for is asked for when the
//! upstream asks. Each answer says by `Cache-Status` and `Age` where it came from. What is stale
//! serves for a day while the upstream cannot be reached, unless it forbids that.
//!
//! Of the public conformance tests for HTTP caches (`http-tests/cache-tests`) it declines four, each
//! for a reason:
//!
//! | test | declined, since |
//! |---|---|
//! | `partial-store-partial-reuse-partial` | five bytes came that claim to be six: the last of ten that is asked for may not be among them |
//! | `partial-store-partial-reuse-partial-absent` | the same, asked for to the end |
//! | `partial-store-partial-reuse-partial-suffix` | the same, of which the very last is asked for |
//! | `conditional-lm-fresh-no-lm` | without `Last-Modified` the `Date` is compared, and it is later than the client's (RFC 9111 section 4.3.2) |
//!
//! `--lenient` passes them: it takes for true what such an upstream seems to mean.

use std::process::ExitCode;

mod args;
#[path = "../shared/client.rs"]
mod client;
#[path = "../shared/flags.rs"]
mod flags;
#[path = "../shared/interruption.rs"]
mod interruption;
#[allow(dead_code, reason = "shared with others, who set what this one leaves at its default")]
#[path = "../shared/listener.rs"]
mod listener;
#[allow(dead_code, reason = "shared with others, who set what this one leaves at its default")]
#[path = "../shared/proxy/mod.rs"]
mod proxy;
mod stack;

use args::{Command, HELP, Serve};
use interruption::interruption;
use listener::Listener;
use proxy::Proxy;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match args::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(Command::Serve(serve)) => run(serve).await,
        Err(mistake) => Err(format!("{mistake}\nTry --help.")),
    };
    outcome.map_or_else(
        |error| {
            eprintln!("caching_proxy: {error}");
            ExitCode::from(2)
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Serves until interrupted.
async fn run(Serve { listen, upstream, cache }: Serve) -> Result<(), String> {
    let listener = Listener::bind(listen).await;
    let listener = listener.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let interruption = interruption();
    println!("listening on http://{}, asking http://{upstream}", listener.address());
    let proxy = Proxy::new(upstream);
    let front = match cache {
        Some(cache) => stack::caching(proxy, cache),
        None => stack::passing(proxy),
    };
    let drained = listener.serve(front, interruption).await;
    println!("{}", if drained { "drained" } else { "stopped; some requests took too long" });
    Ok(())
}
