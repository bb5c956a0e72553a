//! A hundred polite clients beside a greedy one, at one limit.

use std::{ops::Range, time::Duration};

use tower::{Layer, Service, util::BoxCloneService};
use tower_ballast::{
    BoxError, Facts, PriorityRateLimitLayer, Quota,
    core::{Key, count},
    rate_limit::KeyLimit,
};
use tower_ballast_test::simulator::{
    Call, Recording, Server, ServiceTime, Stream, simulate, stretched,
};

use super::{
    is_long, millis,
    page::{Bar, Page, percent},
    run_all, seconds, seeds,
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Arm {
    /// All in one queue, whoever they come from.
    OneQueue,
    /// Every client with its turns.
    ByClient,
    /// Every tenant with its turns; the greedy one has a thousand keys.
    ByTenant,
    /// No queue, and who comes first passes.
    Refused,
    /// No queue, and to each client a limit of its own.
    Ceiling,
    /// No queue, and to each client a share of its own, beyond which it borrows.
    Share,
    /// The same for each tenant; the greedy one has a thousand keys.
    ShareByTenant,
    /// A share for each client beside one queue for all.
    ShareAndQueue,
}

const ARMS: [(Arm, &str); 8] = [
    (Arm::OneQueue, "one queue for all"),
    (Arm::ByClient, "ours, a queue by client"),
    (Arm::ByTenant, "ours, a queue by tenant, with 1000 keys"),
    (Arm::Refused, "no queue"),
    (Arm::Ceiling, "no queue, a limit of 10 for each client"),
    (Arm::Share, "ours, no queue, a share of 10 by client"),
    (Arm::ShareByTenant, "ours, no queue, a share of 10 by tenant, with 1000 keys"),
    (Arm::ShareAndQueue, "ours, a share of 10 by client, and one queue for all"),
];

/// Those that are held to the bars.
const OURS: [Arm; 5] =
    [Arm::ByClient, Arm::ByTenant, Arm::Share, Arm::ShareByTenant, Arm::ShareAndQueue];

type Limited = BoxCloneService<Call, (), BoxError>;

const POLITE: u32 = 100;
const LIMIT: f64 = 1_000.0;
const SPAN: Range<Duration> = seconds(5)..seconds(35);
const SERVICE: Duration = millis(1);

#[derive(Debug)]
struct Found {
    worst: f64,
    used: f64,
    fairness: f64,
    wait: Duration,
}

fn run((arm, seed): &(Arm, u64)) -> Found {
    simulate(*seed, async |scene| {
        let backend = scene.serve(Server::new(10_000, ServiceTime::constant(SERVICE)));
        let arrivals = backend.arrivals();
        let polite = Stream::per_second(8.0).clients(0..POLITE);
        let greedy = match arm {
            Arm::ByTenant | Arm::ShareByTenant => {
                Stream::per_second(10.0).clients(POLITE..POLITE + 1_000)
            }
            _ => Stream::per_second(10_000.0).clients(POLITE..POLITE + 1),
        };
        let backend = tower::util::MapErrLayer::new(BoxError::from).layer(backend);
        let backend = tower::util::MapResponseLayer::new(drop).layer(backend);
        let service = limited(*arm, backend);
        let recording = scene.offer(&[polite, greedy], SPAN.end, |_| service.clone()).await;
        let polite: Recording = recording.only(|call| call.client() < POLITE);
        #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let passed = arrivals.count(SPAN) as f64;
        Found {
            worst: polite.worst_client(SPAN),
            used: passed / (LIMIT * SPAN.end.saturating_sub(SPAN.start).as_secs_f64()),
            fairness: share_of_asked(&polite),
            wait: polite.percentile(SPAN, 0.99).saturating_sub(SERVICE),
        }
    })
}

fn limited<S>(arm: Arm, backend: S) -> Limited
where
    S: Service<Call, Response = (), Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let second = stretched(seconds(1));
    let limit =
        |burst| PriorityRateLimitLayer::new(Quota::per(second, count::<1_000>()).burst(burst));
    // What comes at random, eight a second, is hardly ever forty more than ten a second.
    let own = || KeyLimit::new(2_000, Quota::per(second, count::<10>()).burst(count::<40>()));
    let key = move |call: &Call| ByArm(arm).key(call);
    let waiting = stretched(millis(200));
    match arm {
        Arm::OneQueue | Arm::ByClient | Arm::ByTenant => {
            let layer = limit(count::<10>()).facts(ByArm(arm)).queue(256).longest_wait(waiting);
            BoxCloneService::new(layer.layer(backend))
        }
        Arm::Refused => BoxCloneService::new(limit(count::<100>()).layer(backend)),
        Arm::Ceiling => {
            BoxCloneService::new(limit(count::<100>()).per_key(own(), key).layer(backend))
        }
        Arm::Share | Arm::ShareByTenant => {
            let layer = limit(count::<100>()).per_key(own().guaranteed(), key);
            BoxCloneService::new(layer.layer(backend))
        }
        Arm::ShareAndQueue => {
            let layer = limit(count::<100>()).per_key(own().guaranteed(), key);
            BoxCloneService::new(layer.queue(256).longest_wait(waiting).layer(backend))
        }
    }
}

/// Jain's index over what each client got of what it asked for.
fn share_of_asked(polite: &Recording) -> f64 {
    let shares: Vec<f64> = (0..POLITE)
        .map(|client| polite.only(|call| call.client() == client).success(SPAN))
        .collect();
    let (sum, squares): (f64, f64) =
        (shares.iter().sum(), shares.iter().map(|share| share * share).sum());
    sum * sum / (f64::from(POLITE) * squares.max(f64::MIN_POSITIVE))
}

#[derive(Debug, Clone, Copy)]
struct ByArm(Arm);

impl Facts<Call> for ByArm {
    fn key(&self, call: &Call) -> Option<Key> {
        match self.0 {
            Arm::OneQueue | Arm::Refused => None,
            Arm::ByClient | Arm::Ceiling | Arm::Share | Arm::ShareAndQueue => {
                Some(Key::of(&call.client))
            }
            Arm::ByTenant | Arm::ShareByTenant => Some(Key::of(&call.client.min(POLITE))),
        }
    }
}

const WORST: f64 = 0.999;
const USED: f64 = 0.995;
const FAIRNESS: f64 = 0.999;
const WAIT: Duration = millis(30);

#[test]
fn a_greedy_client_takes_nothing_from_polite_ones() {
    let mut jobs = vec![(Arm::OneQueue, 1), (Arm::Refused, 1), (Arm::Ceiling, 1)];
    for arm in OURS {
        // The two that differ from another in one thing only are run once in the ordinary tests.
        let is_variant = matches!(arm, Arm::ShareByTenant | Arm::ShareAndQueue);
        let most = if is_variant && !is_long() { 1 } else { usize::MAX };
        jobs.extend(seeds().take(most).map(|seed| (arm, seed)));
    }
    let found = run_all(&jobs, run);
    let all: Vec<(Arm, Found)> = jobs.into_iter().map(|(arm, _)| arm).zip(found).collect();

    let row = |(arm, name): (Arm, &str)| {
        let of = || all.iter().filter(|(of, _)| *of == arm).map(|(_, found)| found);
        let least = |what: fn(&Found) -> f64| of().map(what).fold(f64::MAX, f64::min);
        let wait = of().map(|found| found.wait).max().unwrap_or_default();
        vec![
            name.to_owned(),
            percent(least(|found| found.worst)),
            percent(least(|found| found.used)),
            format!("{:.4}", least(|found| found.fairness)),
            format!("{:.0} ms", wait.as_secs_f64() * 1e3),
        ]
    };
    let ours = || all.iter().filter(|(arm, _)| OURS.contains(arm)).map(|(_, found)| found);
    let least = |of: fn(&Found) -> f64| ours().map(of).fold(f64::MAX, f64::min);
    let wait = ours().map(|found| found.wait).max().unwrap_or_default();
    Page::new(
        "fairness",
        "Fairness",
        "A limit of 1000 a second, a burst of ten, waits of at most 200 ms. A hundred polite clients ask for 8 a second \
         each, and a greedy one, or a tenant with a thousand keys, for 10 000. Without a queue, and with shares, which \
         pass ahead of the limit by its burst at most, the burst is a hundred; a limit or a share of its own is 10 a \
         second with a burst of 40.",
    )
    .bars([
        Bar::least("worst polite client's success", WORST, least(|found| found.worst), percent),
        Bar::least("limit used", USED, least(|found| found.used), percent),
        Bar::least("Jain's index", FAIRNESS, least(|found| found.fairness), |index| {
            format!("{index:.4}")
        }),
        Bar::most("polite wait, p99", WAIT, wait, |wait| {
            format!("{:.0} ms", wait.as_secs_f64() * 1e3)
        }),
    ])
    .section("What the polite clients get")
    .table(
        &["", "worst client's success", "limit used", "Jain's index", "wait, p99"],
        ARMS.map(row),
    )
    .publish();

    for (arm, found) in &all {
        match arm {
            Arm::OneQueue | Arm::Refused => {
                assert!(found.worst < 0.5, "it proves nothing: {found:?}");
                continue;
            }
            Arm::Ceiling => {
                assert!(found.used < 0.9, "it proves nothing: {found:?}");
                continue;
            }
            _ => {}
        }
        assert!(found.worst >= WORST, "{arm:?}: {found:?}");
        assert!(found.used >= USED, "{arm:?}: {found:?}");
        // The limit's burst, and once more what passes ahead of it.
        assert!(found.used <= 1.0 + 200.0 / (LIMIT * 30.0), "{arm:?}: {found:?}");
        assert!(found.fairness >= FAIRNESS, "{arm:?}: {found:?}");
        assert!(found.wait <= WAIT, "{arm:?}: {found:?}");
    }
}
