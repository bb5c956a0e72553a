use std::time::Duration;

use tower_ballast_core::{Multiplier, Ratio};

use super::*;
use crate::simulator::ServiceTime;

const MILLI: Tick = 1_000;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn server(workers: u32) -> Server {
    Server::new(workers, ServiceTime::constant(millis(10))).queue(100)
}

/// Lets calls come at these milliseconds, and tells when which of them left, and how.
fn run(plan: Server, calls: &[Tick]) -> Vec<(Ticket, Tick, Option<Outcome>)> {
    let mut station = Station::new(plan, Random::seeded(1));
    let (mut log, mut left) = (Vec::new(), Vec::new());
    let mut calls = calls.iter().map(|millis| millis * MILLI).enumerate().peekable();
    loop {
        let coming = calls.peek().map(|(_, moment)| *moment);
        let now = match (station.next(), coming) {
            (Some(next), Some(coming)) => next.min(coming),
            (next, coming) => match next.or(coming) {
                Some(now) => now,
                None => return log,
            },
        };
        station.advance(now, &mut left);
        if coming == Some(now) {
            let (ticket, _) = calls.next().unwrap();
            station.arrive(now, ticket, &mut left);
        }
        log.extend(left.drain(..).map(|(ticket, outcome)| (ticket, now / MILLI, outcome)));
    }
}

fn ends(plan: Server, calls: &[Tick]) -> Vec<(Ticket, Tick)> {
    run(plan, calls).into_iter().map(|(ticket, at, _)| (ticket, at)).collect()
}

#[test]
fn calls_are_served_in_the_order_in_which_they_came() {
    let log = run(server(2), &[0, 1, 2, 3]);
    let told: Vec<_> = log.iter().map(|(ticket, at, _)| (*ticket, *at)).collect();
    assert_eq!(told, [(0, 10), (1, 11), (2, 20), (3, 21)]);
    let answer = log[2].2.unwrap().unwrap();
    assert_eq!((answer.waited(), answer.worked()), (millis(8), millis(10)));
}

#[test]
fn who_finds_no_room_fails_at_once() {
    let log = run(server(1).queue(1), &[0, 1, 2]);
    assert_eq!(log[0], (2, 2, Some(Err(ServerError::QueueFull))));
    assert_eq!(log.len(), 3);
}

#[test]
fn a_slow_server_is_slow_for_calls_that_are_begun_meanwhile() {
    let slow = server(1)
        .at(millis(5), Change::Slowdown(Multiplier::of::<3, 1>()))
        .at(millis(15), Change::Slowdown(Multiplier::of::<1, 1>()));
    assert_eq!(ends(slow, &[0, 1, 2]), [(0, 10), (1, 40), (2, 50)]);
}

#[test]
fn workers_that_come_begin_at_once_and_those_that_go_finish_their_call() {
    let more = server(1).at(millis(5), Change::Workers(3));
    assert_eq!(ends(more, &[0, 1, 2]), [(0, 10), (1, 15), (2, 15)]);
    let none = server(1).at(millis(5), Change::Workers(0)).at(millis(30), Change::Workers(1));
    assert_eq!(ends(none, &[0, 1]), [(0, 10), (1, 40)]);
}

#[test]
fn a_server_that_goes_down_fails_all_inside_and_all_that_come() {
    let down = server(1).at(millis(5), Change::Down).at(millis(20), Change::Up);
    let log = run(down, &[0, 1, 7, 20]);
    let failed = |ticket, at| (ticket, at, Some(Err(ServerError::Down)));
    assert_eq!(log[..3], [failed(0, 5), failed(1, 5), failed(2, 7)]);
    assert_eq!((log[3].0, log[3].1), (3, 30));
}

#[test]
fn a_hung_server_forgets_its_calls() {
    let hung = server(1).at(millis(5), Change::Hung).at(millis(20), Change::Up);
    let log = run(hung, &[0, 1, 7, 20]);
    assert_eq!(log[..3], [(0, 5, None), (1, 5, None), (2, 7, None)]);
    assert_eq!((log[3].0, log[3].1), (3, 30));
}

#[test]
fn a_cold_server_gains_its_speed_evenly() {
    let cold = Change::ColdUp { from: Ratio::percent::<20>(), within: millis(100) };
    let cold = server(9).at(millis(10), Change::Down).at(millis(20), cold);
    // At 20, 60 and 100 % of the speed.
    assert_eq!(ends(cold, &[20, 70, 120]), [(0, 70), (1, 86), (2, 130)]);
}

#[test]
fn a_share_of_the_calls_fails_at_its_end_or_at_once() {
    let half = Ratio::percent::<50>();
    let calls: Vec<Tick> = (0..1_000).map(|n| 20 * n).collect();
    for (change, after) in [(Change::Errors(half), 10), (Change::QuickErrors(half), 0)] {
        let log = run(server(1).at(millis(0), change), &calls);
        let failed: Vec<_> =
            log.iter().filter(|(_, _, outcome)| outcome.unwrap().is_err()).collect();
        assert!((450..550).contains(&failed.len()), "{}", failed.len());
        assert!(failed.iter().all(|(ticket, at, _)| *at == 20 * *ticket as u64 + after));
    }
}

#[test]
fn abandoned_calls_are_worked_on_unless_the_server_skips_them() {
    for (skips, second) in [(false, 30), (true, 20)] {
        let mut station =
            Station::new(server(1).queue(2).skips_abandoned(skips), Random::seeded(1));
        let mut left = Vec::new();
        for ticket in 0..3 {
            station.arrive(0, ticket, &mut left);
        }
        station.abandon(0);
        station.abandon(1);
        station.abandon(1);
        assert_eq!(station.waiting(), if skips { 1 } else { 2 });
        while let Some(now) = station.next() {
            station.advance(now, &mut left);
            if left.iter().any(|(ticket, _)| *ticket == 2) {
                assert_eq!(now / MILLI, second);
            }
        }
        assert_eq!(left.len(), 3, "{left:?}");
        assert_eq!(station.waiting(), 0);
    }
}

#[test]
fn moments_that_never_come_do_no_harm() {
    let endless =
        Server::new(1, ServiceTime::constant(Duration::MAX)).at(Duration::MAX, Change::Up);
    let mut station = Station::new(endless, Random::seeded(1));
    let mut left = Vec::new();
    station.arrive(0, 0, &mut left);
    station.advance(Tick::MAX, &mut left);
    assert_eq!(left.len(), 1);
}
