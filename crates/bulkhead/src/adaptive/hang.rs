//! A server that hangs for a while and is well again, under callers that always want more.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use tower_ballast_core::{Random, clock::Nanos};

use super::{BandwidthDelay, Limiter, Outcome, Sample};

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1000 * MILLI;
/// A second after zero, so that nothing begins at zero.
const START: u64 = SECOND;
const WORKERS: usize = 40;
/// Calls of 10 to 30 ms.
const CAPACITY: f64 = 2000.0;
const BUCKET: u64 = 100 * MILLI;

/// What becomes of those who are there while it hangs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Hung {
    /// They never come back: each ends by its timeout.
    Lost,
    /// They go on when it is well again, those whose timeout has not ended them.
    Woken,
    /// They do not hang, but a tenth of the workers is left, and works as well on those whose timeout has ended.
    Few,
}

/// The timeout, in milliseconds, and the seconds of the hang, ten after the beginning.
#[derive(Debug, Clone, Copy)]
struct Hang {
    timeout: u64,
    seconds: u64,
    hung: Hung,
}

/// Where some of the places are held by calls that hung to the end, and others free already, the few answers look like those
/// of a service that can do less: that is found out in two to two and a half seconds, the rest in a half.
#[test]
fn soon_after_a_hang_all_that_a_service_can_do_is_used_again() {
    for hung in [Hung::Lost, Hung::Woken] {
        for (timeout, seconds) in [(1, 10), (10, 10), (10, 30), (30, 30), (30, 40), (30, 60)] {
            for seed in 1..=2 {
                let hang = Hang { timeout: 1000 * timeout, seconds, hung };
                let run = hang.run(seed);
                let (back, after) = (run.back(), run.share(4.0));
                let most = if seconds % timeout == 0 || seconds == 40 { 2.5 } else { 0.5 };
                assert!(back <= most, "{hang:?}, seed {seed}: back after {back} s");
                assert!(after >= 0.98, "{hang:?}, seed {seed}: then {after} of it");
            }
        }
    }
}

#[test]
fn while_it_hangs_fewer_and_fewer_are_sent() {
    for timeout in [1, 10] {
        let run = Hang { timeout: 1000 * timeout, seconds: 60, hung: Hung::Lost }.run(1);
        assert!(run.least <= 3, "never less than {}", run.least);
    }
}

/// All of them end by their timeout at first, though it works all the time: it takes 220 ms for what is there.
#[test]
fn a_service_with_too_few_workers_for_what_is_there_is_not_taken_for_one_that_hangs() {
    for seed in 1..=2 {
        let run = Hang { timeout: 100, seconds: 40, hung: Hung::Few }.run(seed);
        let share = run.answered_from(20.0, 30.0) / (CAPACITY / 10.0 * 30.0);
        assert!(share >= 0.9, "seed {seed}: {share} of what it can do");
    }
}

#[derive(Debug)]
struct Run {
    answered: Vec<u32>,
    /// When the last one ended that had hung, or the hang itself.
    well: u64,
    /// The lowest limit.
    least: u32,
    limit: u32,
}

impl Hang {
    fn run(self, seed: u64) -> Run {
        let random = Random::seeded(seed);
        let mut limiter = BandwidthDelay::new();
        let mut limit = Limiter::initial(&limiter);
        let (from, timeout) = (START + 10 * SECOND, self.timeout * MILLI);
        let to = from + self.seconds * SECOND;
        let end = to + timeout + 20 * SECOND;
        let mut free = [START; WORKERS];
        let mut inside = BinaryHeap::new();
        let buckets = usize::try_from((end - START) / BUCKET).unwrap() + 1;
        let mut run = Run { answered: vec![0; buckets], well: to, least: limit, limit };
        let mut now = START;
        while now < end {
            while inside.len() < limit as usize {
                let few = self.hung == Hung::Few && (from..to).contains(&now);
                let workers = 0..if few { WORKERS / 10 } else { WORKERS };
                let worker = workers.min_by_key(|worker| free[*worker]).unwrap();
                let takes = 10 * MILLI + random.below(20 * MILLI);
                let mut done = free[worker].max(now) + takes;
                let hangs = now < to && done > from;
                match self.hung {
                    Hung::Lost if hangs => done = u64::MAX,
                    Hung::Woken if hangs => done = free[worker].max(to) + takes,
                    _ => {}
                }
                let in_time = done <= now + timeout;
                free[worker] = match self.hung {
                    Hung::Few => done,
                    _ if hangs && !in_time => to,
                    _ => done,
                };
                let ends = done.min(now + timeout);
                inside.push(Reverse((ends, now, in_time)));
                run.well = if hangs { run.well.max(ends) } else { run.well };
            }
            let in_flight = u32::try_from(inside.len()).unwrap();
            let Some(Reverse((at, began, answered))) = inside.pop() else { break };
            now = at;
            let outcome = if answered { Outcome::Answered } else { Outcome::Overloaded };
            run.answered[usize::try_from((now - START) / BUCKET).unwrap().min(buckets - 1)] +=
                u32::from(answered);
            let latency = Duration::from_nanos(now - began);
            let sample = Sample::new(Nanos::from_nanos(now), latency, outcome, in_flight);
            limit = limiter.sample(sample).map_or(limit, |change| change.limit);
            run.least = run.least.min(limit);
        }
        run.limit = limit;
        run
    }
}

impl Run {
    /// Seconds from when nobody hangs any more until nine tenths of the capacity are used.
    fn back(&self) -> f64 {
        let well = usize::try_from((self.well - START) / BUCKET).unwrap();
        let full = CAPACITY / 10.0 * 0.9 * 5.0;
        let buckets = self.answered[well..].windows(5);
        let mut at = buckets.map(|five| f64::from(five.iter().sum::<u32>()) >= full).zip(0_u32..);
        at.find(|(is_full, _)| *is_full).map_or(f64::MAX, |(_, bucket)| f64::from(bucket) / 10.0)
    }

    /// What part of the capacity was used from so long after that on, for ten seconds.
    fn share(&self, seconds: f64) -> f64 {
        let well = Duration::from_nanos(self.well - START).as_secs_f64();
        self.answered_from(well + seconds, 10.0) / (CAPACITY * 10.0)
    }

    /// How many were answered from this second on, in so many.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
    fn answered_from(&self, from: f64, seconds: f64) -> f64 {
        let (from, buckets) = ((10.0 * from) as usize, (10.0 * seconds) as usize);
        self.answered[from..from + buckets].iter().copied().map(f64::from).sum()
    }
}
