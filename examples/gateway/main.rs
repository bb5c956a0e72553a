//! A reverse proxy under protection, and a storm to show what that is worth.
//!
//! ```text
//! cargo run --release --example gateway             the storm: protection off, then on
//! cargo run --release --example gateway -- --help   protects an upstream of yours
//! ```
//!
//! ```text
//!   load.rs  ---->  listener  ---->  protection.rs  ---->  upstream.rs
//!   callers         one port         proxy + layers        workers, queue, weather
//!      |                                   |                   |
//!      |                                watch.rs               |
//!      |                           /metrics, /stats            |
//!      +--------------------->  report.rs  <-------------------+
//! ```

use std::{net::SocketAddr, process::ExitCode, time::Duration};

mod args;
#[path = "../shared/client.rs"]
mod client;
mod figures;
#[path = "../shared/flags.rs"]
mod flags;
#[path = "../shared/interruption.rs"]
mod interruption;
#[path = "../shared/listener.rs"]
mod listener;
mod load;
mod protection;
#[allow(dead_code, reason = "shared with others, who set what this one leaves at its default")]
#[path = "../shared/proxy/mod.rs"]
mod proxy;
mod report;
mod storm;
mod upstream;
mod watch;

use args::{Command, HELP, Protect};
use interruption::interruption;
use listener::Listener;
use protection::Protection;
use proxy::Proxy;
use watch::Watch;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match args::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(Command::Demonstrate) => demonstrate().await,
        Ok(Command::Protect(protect)) => serve(protect).await,
        Err(mistake) => Err(format!("{mistake}\nTry --help.")),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("gateway: {error}");
        ExitCode::from(2)
    })
}

/// The same storm twice, and a table of both.
async fn demonstrate() -> Result<ExitCode, String> {
    println!("{}", report::opening());
    let mut runs = Vec::new();
    for protection in [Protection::Off, Protection::On] {
        println!("{}", report::heading(protection));
        let run = storm::run(&storm::STORM, protection, |phase, at, answered| {
            println!("{}", report::second(phase, at, answered));
        });
        runs.push(run.await.map_err(|error| format!("no port on loopback: {error}"))?);
    }
    let [off, on] = runs.as_slice() else { unreachable!("there were two runs") };
    println!("{}", report::table(off, on));
    if let Some(figures) = &on.figures {
        println!("what the gateway's own layers have counted:\n{figures}");
    }
    let promises = figures::promises(on);
    println!("{}", report::verdict(&promises));
    Ok(ExitCode::from(u8::from(promises.iter().any(|promise| !promise.kept))))
}

/// Protects somebody's upstream until interrupted.
async fn serve(Protect { listen, upstream, admin, trusted }: Protect) -> Result<ExitCode, String> {
    let listener = bind(listen).await?;
    let interruption = interruption();
    println!("listening on http://{}, protecting http://{upstream}", listener.address());
    let (mut server, mut client) = (tower_ballast::http_server(), tower_ballast::http_client());
    if let Some(admin) = admin {
        let admin = bind(admin).await?;
        let exported = watch::export(server, client).map_err(|error| error.to_string())?;
        let prometheus;
        (server, client, prometheus) = exported;
        println!("figures on http://{0}/metrics and http://{0}/stats", admin.address());
        let router = Watch::new(&server, &client).router(prometheus);
        tokio::spawn(admin.serve(router, std::future::pending()));
    }
    let gateway = protection::protected(Proxy::new(upstream).trusted(trusted), server, client);
    let drained = listener.drain(Duration::from_secs(10)).serve(gateway, interruption).await;
    println!("{}", if drained { "drained" } else { "stopped; some requests took too long" });
    Ok(ExitCode::SUCCESS)
}

async fn bind(address: SocketAddr) -> Result<Listener, String> {
    let listener = Listener::bind(address).await;
    listener.map_err(|error| format!("cannot listen on {address}: {error}"))
}
