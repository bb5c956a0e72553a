//! The script: which weather, for how long, under which load.

use std::{net::SocketAddr, time::Duration};

use super::{
    listener::Listener,
    load::{Load, Sample},
    protection::{self, Protection},
    upstream::{Upstream, Weather},
};

/// A stretch of one weather.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) weather: Weather,
    pub(crate) length: Duration,
}

/// The phases of the demonstration.
pub(crate) const STORM: [Phase; 4] = [
    Phase { name: "calm", weather: Weather::Calm, length: Duration::from_secs(3) },
    Phase { name: "errors", weather: Weather::Errors, length: Duration::from_secs(4) },
    Phase { name: "outage", weather: Weather::Outage, length: Duration::from_secs(5) },
    Phase { name: "recovery", weather: Weather::Calm, length: Duration::from_secs(10) },
];

/// Requests a second: six tenths of what the upstream can do.
pub(crate) const RATE: u32 = 120;

/// What one run has shown.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) phases: Vec<Phase>,
    pub(crate) samples: Vec<Sample>,
    /// Requests that reached the upstream.
    pub(crate) calls: u64,
    /// The share of the upstream's work that nobody waited for any more.
    pub(crate) in_vain: f64,
    /// When the outage ended, from the start.
    pub(crate) outage_end: Duration,
}

/// Runs the phases through one gateway, and shows every stretch of a second to `watch`.
///
/// # Errors
///
/// When loopback has no port left.
pub(crate) async fn run(
    phases: &[Phase],
    protection: Protection,
    watch: impl Fn(&Phase, Duration, &[Sample]),
) -> std::io::Result<Run> {
    let upstream = Upstream::start().await?;
    let gateway = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let target = upstream.address().to_string().parse().expect("an address is an authority");
    let mut load = Load::on(gateway.address());
    tokio::spawn(gateway.serve(protection::gateway(protection, target), std::future::pending()));

    let mut outage_end = Duration::ZERO;
    for (number, phase) in phases.iter().enumerate() {
        upstream.suffer(phase.weather);
        let mut at = Duration::ZERO;
        while at < phase.length {
            let step = phase.length.saturating_sub(at).min(Duration::from_secs(1));
            let since = load.elapsed();
            load.send(number, RATE, step).await;
            at += step;
            let answered =
                load.samples().into_iter().filter(|sample| sample.sent + sample.took >= since);
            watch(phase, at, &answered.collect::<Vec<_>>());
        }
        if phase.weather == Weather::Outage {
            outage_end = load.elapsed();
        }
    }
    let samples = load.finish().await;
    let (calls, in_vain) = (upstream.calls(), upstream.in_vain());
    Ok(Run { phases: phases.to_vec(), samples, calls, in_vain, outage_end })
}
