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
    /// Requests a second.
    pub(crate) rate: u32,
    pub(crate) length: Duration,
}

impl Phase {
    pub(crate) const fn new(
        name: &'static str,
        weather: Weather,
        rate: u32,
        length: Duration,
    ) -> Self {
        Self { name, weather, rate, length }
    }
}

/// The phases of the demonstration.
pub(crate) const STORM: [Phase; 7] = [
    Phase::new("calm", Weather::Calm, RATE, Duration::from_secs(3)),
    Phase::new("slow", Weather::Slow, RATE, Duration::from_secs(4)),
    Phase::new("errors", Weather::Errors, RATE, Duration::from_secs(4)),
    Phase::new("flood", Weather::Calm, FLOOD, Duration::from_secs(5)),
    Phase::new("breath", Weather::Calm, RATE, Duration::from_secs(3)),
    Phase::new("outage", Weather::Outage, RATE, Duration::from_secs(5)),
    Phase::new("recovery", Weather::Calm, RATE, Duration::from_secs(9)),
];

/// Requests a second: six tenths of what the upstream can do.
pub(crate) const RATE: u32 = 120;

/// Requests a second in a flood: twice what the upstream can do.
pub(crate) const FLOOD: u32 = 400;

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
    /// What the layers have counted, where there are any.
    pub(crate) figures: Option<String>,
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
    let (router, watch_layers) = protection::gateway(protection, target);
    tokio::spawn(gateway.serve(router, std::future::pending()));

    let mut outage_end = Duration::ZERO;
    for (number, phase) in phases.iter().enumerate() {
        upstream.suffer(phase.weather);
        let mut at = Duration::ZERO;
        while at < phase.length {
            let step = phase.length.saturating_sub(at).min(Duration::from_secs(1));
            let since = load.elapsed();
            load.send(number, phase.rate, step).await;
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
    let figures = watch_layers.map(|watch| watch.table());
    Ok(Run { phases: phases.to_vec(), samples, calls, in_vain, outage_end, figures })
}
