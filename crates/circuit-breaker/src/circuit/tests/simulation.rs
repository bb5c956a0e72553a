//! Would a threshold that follows the service's own baseline of failures be better than a fixed
//! one? The page of the crate tells the answer, and here its figures come from.
//!
//! Fifty calls a second come at random and take 50 ms each; all policies meet the same calls. The
//! page has means of twenty seeds, of which the tests take a few: `SEEDS=20` and `--nocapture`
//! print its table anew.

use std::{collections::VecDeque, env, iter};

use super::*;

mod policy;
mod world;

use self::{
    policy::{Breaker, Policy},
    world::World,
};

/// Twice the mean gap between two calls.
const LONGEST_GAP: Duration = Duration::from_millis(40);
const LATENCY: Duration = Duration::from_millis(50);

/// What a policy made of a world, from the incident on: one run, or the mean of several.
#[derive(Debug, Clone, Copy)]
struct Score {
    /// The share of the callers that got an answer.
    served: f64,
    /// Calls that were sent and failed while the incident lasted.
    wasted: f64,
    /// Seconds from the incident until it opened first, where it always did.
    opened_after: f64,
}

fn run(policy: Policy, world: World, seed: u64) -> Score {
    let random = Random::seeded(seed);
    let mut breaker = Breaker::new(policy, seed);
    let mut service = world.service();
    let mut running = VecDeque::new();
    let (mut offered, mut served, mut wasted) = (0, 0, 0);
    let mut opened_after = f64::INFINITY;
    let mut now = START;
    loop {
        now = now + random.between(Duration::ZERO, LONGEST_GAP);
        let luck = random.unit();
        while let Some(&(end, epoch, failed)) = running.front()
            && end <= now
        {
            running.pop_front();
            if breaker.settle(epoch, failed, end) && end >= START + world.begins() {
                opened_after = opened_after.min(end.since(START + world.begins()).as_secs_f64());
            }
        }
        let passed = now.since(START);
        if passed >= world.ends() + world.aftermath() {
            break;
        }
        let looked_at = passed >= world.begins();
        offered += u32::from(looked_at);
        if let Decision::Admit { epoch } = breaker.circuit.admit(now) {
            let failed = luck < service.failing(passed);
            running.push_back((now + LATENCY, epoch, failed));
            served += u32::from(looked_at && !failed);
            wasted += u32::from(looked_at && passed < world.ends() && failed);
        }
    }
    let served = f64::from(served) / f64::from(offered);
    Score { served, wasted: f64::from(wasted), opened_after }
}

/// Means of this many seeds.
fn mean(seeds: u32, policy: Policy, world: World) -> Score {
    let runs: Vec<_> = (1..=seeds).map(|seed| run(policy, world, u64::from(seed))).collect();
    let mean = |of: fn(&Score) -> f64| runs.iter().map(of).sum::<f64>() / f64::from(seeds);
    Score {
        served: mean(|score| score.served),
        wasted: mean(|score| score.wasted),
        opened_after: mean(|score| score.opened_after),
    }
}

#[test]
fn the_table_of_the_page_is_what_comes_out() {
    let page = include_str!("../../lib.rs");
    let seeds = env::var("SEEDS").map_or(3, |seeds| seeds.parse().unwrap());
    for (policy, name) in Policy::NAMED {
        let outage = mean(seeds, policy, World::Incident { before: 0.01, share: 1.0 });
        let served = [
            World::Incident { before: 0.01, share: 0.25 },
            World::Bursts,
            World::Overload { before: 0.01, share: 0.4 },
        ]
        .map(|world| mean(seeds, policy, world).served * 100.0);
        let (opened, wasted, [quarter, bursts, overload]) =
            (outage.opened_after, outage.wasted, served);
        let row = format!(
            "//! | {name} | {opened:.1} s | {wasted:.0} | {quarter:.0} % | {bursts:.0} % | \
             {overload:.0} % |"
        );
        println!("{row}");
        let told = page.lines().find(|line| line.starts_with(&format!("//! | {name} |")));
        let told = numbers(told.unwrap_or_else(|| panic!("missing: {row}")));
        // The page has the means of more seeds.
        let is_near = |told: f64, found: f64, part: f64, least: f64| {
            (told - found).abs() <= (told * part).max(least)
        };
        let is_right = is_near(told[0], opened, 0.1, 0.1)
            && is_near(told[1], wasted, 0.1, 10.0)
            && iter::zip(&told[2..], served).all(|(told, found)| is_near(*told, found, 0.0, 8.0));
        assert!(is_right, "the page says {told:?}, and not {row}");
    }
}

#[test]
fn none_opens_while_few_calls_fail_as_they_always_do() {
    for ((policy, name), share) in
        Policy::NAMED.into_iter().flat_map(|one| [0.0, 0.01, 0.05].map(|share| (one, share)))
    {
        let score = mean(1, policy, World::Healthy(share));
        assert!((score.served + share - 1.0).abs() < 0.01, "{name} {share}: {score:?}");
    }
}

#[test]
fn where_many_calls_always_fail_it_is_the_way_back_that_gains() {
    let world = World::Incident { before: 0.2, share: 1.0 };
    let [half, lenient, forgiving, margin] =
        [Policy::Half, Policy::Lenient, Policy::Forgiving, Policy::Margin]
            .map(|policy| mean(20, policy, world).served);
    assert!(half < 0.18 && lenient > 0.2 && forgiving > 0.26, "{half} {lenient} {forgiving}");
    assert!((forgiving - margin).abs() < 0.03, "{forgiving} {margin}");
}

#[test]
fn where_two_calls_in_five_always_fail_a_small_minimum_opens() {
    let [half, lenient] =
        [Policy::Half, Policy::Lenient].map(|policy| mean(10, policy, World::Healthy(0.4)).served);
    assert!(half < 0.55 && (lenient - 0.6).abs() < 0.01, "{half} {lenient}");
}

#[test]
fn a_quick_threshold_takes_a_slow_drift_for_an_incident() {
    let [half, quick] = [Policy::Half, Policy::DeviationOfHundred]
        .map(|policy| mean(3, policy, World::Drift).served);
    assert!((half - 0.85).abs() < 0.01 && (quick - 0.71).abs() < 0.06, "{half} {quick}");
}

/// The numbers of a row, behind its name.
fn numbers(row: &str) -> Vec<f64> {
    let cells = row.split('|').skip(2);
    cells.filter_map(|cell| cell.trim().trim_end_matches([' ', 's', '%']).parse().ok()).collect()
}
