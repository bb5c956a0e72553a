//! What is asked often and has no bar: a graph of calls, clients that compete, errors that are quick.

use std::{ops::Range, time::Duration};

use tower::{Service, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneService};
use tower_ballast::{Backoff, BoxError, Budget, Ratio, RetryLayer, TimeoutLayer, core::Multiplier};
use tower_ballast_test::simulator::{
    Backend, Call, CallFacts, Change, Recording, Scene, Server, ServiceTime, Stream, simulate,
    stretched,
};

use super::{
    is_long, millis,
    page::{Page, percent, time},
    preset::{Client, over_http, preset},
    run_all, seconds, seeds,
};

fn server() -> Server {
    Server::new(10, ServiceTime::exponential(millis(10))).queue(10_000)
}

fn streams(clients: u32, rate: f64) -> [Stream; 1] {
    [Stream::per_second(rate / f64::from(clients)).clients(0..clients)]
}

fn backoff() -> Backoff {
    Backoff::exponential(stretched(millis(100))).cap(stretched(seconds(5)))
}

/// How each of three services calls the next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Hop {
    Once,
    Naive,
    Preset,
}

const HOPS: [(Hop, &str); 3] =
    [(Hop::Once, "no retries"), (Hop::Naive, "3 attempts, no budget"), (Hop::Preset, "ours")];

impl Hop {
    fn client<S>(self, scene: &Scene, inner: S) -> Client
    where
        S: Service<Call, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
        S::Response: Send + 'static,
    {
        let attempt = TimeoutLayer::new(stretched(seconds(1)));
        let layers = ServiceBuilder::new().map_response(drop);
        match self {
            Self::Once => BoxCloneService::new(layers.layer(attempt).service(inner)),
            Self::Naive => {
                let retry = RetryLayer::new(CallFacts)
                    .nested(true)
                    .backoff(backoff())
                    .budget(Budget::unlimited())
                    .seed(scene.seed());
                BoxCloneService::new(layers.layer(retry).layer(attempt).service(inner))
            }
            Self::Preset => over_http(&preset(scene), inner),
        }
    }
}

/// A service that works on a call itself, and then calls the next.
fn caller(own: Backend, next: Client) -> Client {
    BoxCloneService::new(service_fn(move |call: Call| {
        let (own, next) = (own.clone(), next.clone());
        async move {
            own.oneshot(call).await?;
            next.oneshot(call).await
        }
    }))
}

const TROUBLE: Range<u64> = 30..40;

/// Three services in a row, the last of which is ten times slower for ten seconds. How many attempts
/// of each call have reached the first and the last since, and the calls.
fn graph(hop: Hop, end: Duration, seed: u64) -> (f64, f64, Recording) {
    let (from, to) = (seconds(TROUBLE.start), seconds(TROUBLE.end));
    simulate(seed, async |scene| {
        let last = scene.serve(
            server()
                .at(from, Change::Slowdown(Multiplier::of::<10, 1>()))
                .at(to, Change::Slowdown(Multiplier::of::<1, 1>())),
        );
        let middle = caller(scene.serve(server()), hop.client(&scene, last.clone()));
        let own = scene.serve(server());
        let first = caller(own.clone(), hop.client(&scene, middle));
        let client = |_| hop.client(&scene, first.clone());
        let recording = scene.offer(&streams(20, 700.0), end, client).await;
        let attempts = |at: &Backend| recording.amplification(&at.arrivals(), from..end);
        (attempts(&own), attempts(&last), recording)
    })
}

#[test]
fn retries_at_each_of_three_services_keep_none_of_them_busy() {
    let seeds = if is_long() { 1..=5 } else { 1..=1 };
    let (to, end) = (seconds(TROUBLE.end), if is_long() { seconds(100) } else { seconds(60) });
    let mut rows = Vec::new();
    for (hop, name) in HOPS {
        let jobs: Vec<u64> = seeds.clone().collect();
        let found = run_all(&jobs, |seed| graph(hop, end, *seed));
        let most = |figure: fn(&(f64, f64, Recording)) -> f64| {
            found.iter().map(figure).fold(0.0, f64::max)
        };
        let (first, last) = (most(|found| found.0), most(|found| found.1));
        let success = found.iter().map(|found| found.2.success(to..end)).fold(1.0, f64::min);
        let recovery: Option<Vec<_>> =
            found.iter().map(|found| found.2.recovery(to, end, 0.9)).collect();
        let recovery = recovery.and_then(|all| all.into_iter().max());
        match hop {
            Hop::Once => {}
            Hop::Naive => assert!(first > 2.5 && recovery.is_none(), "{first}, {recovery:?}"),
            Hop::Preset => assert!(first <= 1.10 && recovery.is_some(), "{first}, {recovery:?}"),
        }
        let cells = [
            name.to_owned(),
            time(recovery),
            percent(success),
            format!("{first:.2}"),
            format!("{last:.2}"),
        ];
        rows.push(cells.to_vec());
    }
    let page = Page::new(
        "figures",
        "Figures without bars",
        "Servers have ten workers and 10 ms (exponential), a queue of 10 000, and work on calls that \
         nobody waits for. Clients are those of the retry storm. Here the figures are of the worst of \
         five seeds.",
    )
    .section("Three services in a row, of which the last is ten times slower for ten seconds")
    .text("Twenty clients, 0.7 C. Each service calls the next as the clients call the first.")
    .table(
        &["each calls", "recovered after", "success, 40 to 100 s", "attempts at the first", "at the last"],
        rows,
    );
    if is_long() { quick_errors(competing(page)) } else { page }.publish();
}

/// Clients that offer one and a half times what there is, each with a window of its own.
fn competing(page: Page) -> Page {
    let span = || seconds(20)..seconds(60);
    let row = |clients: u32| {
        let jobs: Vec<u64> = seeds().take(5).collect();
        let found = run_all(&jobs, |seed| {
            simulate(*seed, async |scene| {
                let backend = scene.serve(server());
                let client = |_| over_http(&preset(&scene), backend.clone());
                scene.offer(&streams(clients, 1_500.0), seconds(60), client).await
            })
        });
        let least =
            |figure: &dyn Fn(&Recording) -> f64| found.iter().map(figure).fold(f64::MAX, f64::min);
        let latency = found.iter().map(|all| all.mean_latency(span())).max().unwrap_or_default();
        vec![
            clients.to_string(),
            percent(least(&|all| all.goodput(span()) / 1_000.0)),
            format!("{:.3}", least(&|all| all.fairness(span()))),
            percent(least(&|all| all.worst_client(span()))),
            format!("{:.0} ms", latency.as_secs_f64() * 1e3),
        ]
    };
    page.section("Clients that compete, 1.5 C in all")
        .text("From 20 to 60 s. The mean latency is that of the successes.")
        .table(
            &["clients", "goodput of C", "Jain's index", "success of the worst", "mean latency"],
            [2, 5, 10, 20, 50].map(row),
        )
}

/// Errors that come at once, and so make room for more.
fn quick_errors(page: Page) -> Page {
    const SHARES: [Ratio; 4] = [
        Ratio::percent::<1>(),
        Ratio::percent::<5>(),
        Ratio::percent::<20>(),
        Ratio::percent::<60>(),
    ];
    let span = || seconds(20)..seconds(60);
    let row = |share: Ratio| {
        let jobs: Vec<u64> = seeds().take(5).collect();
        let found = run_all(&jobs, |seed| {
            simulate(*seed, async |scene| {
                let backend = scene.serve(server().at(seconds(10), Change::QuickErrors(share)));
                let client = |_| over_http(&preset(&scene), backend.clone());
                let all = scene.offer(&streams(20, 700.0), seconds(60), client).await;
                (all.success(span()), all.amplification(&backend.arrivals(), span()))
            })
        });
        let success = found.iter().map(|found| found.0).fold(1.0, f64::min);
        let attempts = found.iter().map(|found| found.1).fold(0.0, f64::max);
        vec![share.to_string(), percent(success), format!("{attempts:.2}")]
    };
    page.section("Errors that come at once, 0.7 C")
        .text("From 20 to 60 s, twenty clients; the errors begin at 10 s.")
        .table(&["errors", "success", "attempts per call"], SHARES.map(row))
}
