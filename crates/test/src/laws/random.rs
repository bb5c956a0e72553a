use std::{task::Poll, time::Duration};

use tower_ballast_core::Random;

use super::{
    Mount, broken,
    drops::all_given_back,
    mount::{AnyService, Response},
    outcome::{Caught, caught},
    subject::Testable,
};
use crate::{Probe, Readiness, Step, time};

/// So many drops and panics the law about them makes.
const ROUNDS: usize = 100_000;

/// A hundred thousand drops and panics at random, the same ones in every run, and every count is
/// at its start again.
///
/// A layer that draws random numbers of its own should be seeded, or a failure cannot be repeated.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn survives_random_drops_and_panics(subject: &dyn Testable) {
    const LAW: &str = "a hundred thousand random drops and panics leave every count at its start";
    time::drive(async {
        let mount = subject.mount();
        let baseline = mount.counts();
        let service = mount.service();
        let mut storm = Storm::new(&mount, &service);
        let mut round = 0_u32;
        while storm.damage < ROUNDS {
            round += 1;
            storm.act();
            if round.is_multiple_of(64) {
                // Renews tokio's cooperative budget, without which no timer ever ends.
                tokio::task::yield_now().await;
            }
            if round.is_multiple_of(1024) {
                tokio::time::advance(Duration::from_millis(storm.random.below(200))).await;
            }
        }
        drop(storm);
        if let Err(seen) = all_given_back(LAW, &mount, &baseline, service).await {
            broken(LAW, format!("after {round} random deeds {seen}"));
        }
    });
}

/// Callers without manners.
struct Storm<'a> {
    mount: &'a Mount,
    service: &'a AnyService,
    random: Random,
    probe: Probe,
    callers: [Caller; 8],
    /// How many drops and panics there were.
    damage: usize,
}

enum Caller {
    Away,
    Asking(AnyService),
    Waiting(Caught<Response>),
}

impl<'a> Storm<'a> {
    fn new(mount: &'a Mount, service: &'a AnyService) -> Self {
        let callers = [(); 8].map(|()| Caller::Away);
        let (random, probe) = (Random::seeded(0x0BA1_1A57), Probe::new());
        Self { mount, service, random, probe, callers, damage: 0 }
    }

    fn act(&mut self) {
        let place = self.draw(8) as usize;
        if self.draw(16) == 0 {
            self.mount.script.release();
            self.mount.script.release_ready();
        }
        let caller = std::mem::replace(&mut self.callers[place], Caller::Away);
        self.callers[place] = match caller {
            Caller::Away => Caller::Asking(self.arrives()),
            _ if self.draw(3) == 0 => {
                self.damage += 1;
                Caller::Away
            }
            Caller::Asking(service) => self.asks(service),
            Caller::Waiting(response) => self.waits(response),
        };
    }

    fn arrives(&mut self) -> AnyService {
        self.mount.script.calm();
        self.mount.script.always(self.step());
        self.mount.script.always_ready(self.readiness());
        if self.draw(4) == 0 { self.mount.service() } else { self.service.cloned() }
    }

    fn asks(&mut self, mut service: AnyService) -> Caller {
        match caught(|| self.probe.with(|cx| service.poll_ready(cx))) {
            Ok(Poll::Pending) => Caller::Asking(service),
            Ok(Poll::Ready(Err(_))) => Caller::Away,
            Ok(Poll::Ready(Ok(()))) => match caught(|| service.call(self.draw(1000))) {
                Ok(response) => Caller::Waiting(Caught(Box::pin(response))),
                Err(_) => self.panicked(),
            },
            Err(_) => self.panicked(),
        }
    }

    fn waits(&mut self, mut response: Caught<Response>) -> Caller {
        match self.probe.poll(std::pin::Pin::new(&mut response)) {
            Poll::Pending => Caller::Waiting(response),
            Poll::Ready(super::outcome::Outcome::Panicked(_)) => self.panicked(),
            Poll::Ready(_) => Caller::Away,
        }
    }

    fn panicked(&mut self) -> Caller {
        self.damage += 1;
        Caller::Away
    }

    fn step(&self) -> Step {
        let step = match self.draw(10) {
            0 => Step::panic(),
            1 => Step::panic_in_call(),
            2 => Step::fail(),
            3 => Step::hang(),
            4 => Step::answer().after(Duration::from_millis(50)),
            _ => Step::answer(),
        };
        step.yields(self.draw(4))
    }

    fn readiness(&self) -> Readiness {
        match self.draw(12) {
            0 => Readiness::panic(),
            1 => Readiness::fail(),
            2 => Readiness::held(),
            _ => Readiness::now().pending(self.draw(3)),
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "the bound is small")]
    fn draw(&self, below: u64) -> u32 {
        self.random.below(below) as u32
    }
}
