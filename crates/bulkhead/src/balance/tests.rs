use proptest::prelude::*;
use tower_ballast_core::{
    gate::{Gate, Joined, Look},
    ranks::{Place, Rank},
};

use super::*;

const PARTS: usize = 3;
const NEVER: Duration = Duration::ZERO;

impl Gates for Vec<Gate> {
    fn limit(&self, part: usize) -> u32 {
        self[part].limit()
    }

    fn inside(&self, part: usize) -> u32 {
        self[part].inside()
    }

    fn waiting(&self, part: usize) -> u32 {
        self[part].waiting()
    }

    fn resize(&self, part: usize, limit: u32) {
        self[part].resize(limit);
    }

    fn cede(&self, part: usize) -> bool {
        self[part].cede()
    }
}

/// A divided bulkhead as its layer drives it, with those who wait.
struct Divided {
    balance: Balance,
    gates: Vec<Gate>,
    places: Vec<Vec<Option<Place>>>,
    now: Nanos,
    keep: Duration,
}

impl Divided {
    fn new(total: u32, shares: &[f64], keep: Duration) -> Self {
        let shares: Vec<_> =
            shares.iter().map(|share| Ratio::try_new("share", *share).unwrap()).collect();
        let balance = Balance::new(total, &shares);
        let gates: Vec<_> =
            (0..=shares.len()).map(|part| Gate::new(balance.guaranteed(part))).collect();
        let places = gates.iter().map(|_| Vec::new()).collect();
        Self { balance, gates, places, now: Nanos::ZERO + Duration::from_secs(9), keep }
    }

    fn enter(&mut self, part: usize) -> bool {
        if self.gates[part].try_enter() {
            return true;
        }
        self.settle(Some(part));
        self.balance.want(part, self.now, &self.gates);
        self.gates[part].try_enter()
    }

    fn wait(&mut self, part: usize) {
        match self.gates[part].join(Rank::default(), self.now, |_| true) {
            Joined::Waits(place) => self.places[part].push(Some(place)),
            Joined::Entered => {}
            other => panic!("{other:?}"),
        }
        self.settle(None);
    }

    fn leave(&mut self, part: usize) {
        self.gates[part].exit();
        self.settle(None);
    }

    fn set_total(&mut self, total: u32) {
        self.balance.set_total(total, &self.gates);
        self.settle(None);
    }

    fn settle(&mut self, asker: Option<usize>) {
        let _ = self.balance.settle(&self.gates, self.now, self.keep, asker);
    }

    /// Lets everyone look who waits; says of each part how many went in.
    fn look(&mut self) -> Vec<u32> {
        let mut entered = vec![0; self.gates.len()];
        for (part, places) in self.places.iter_mut().enumerate() {
            places.retain_mut(|place| {
                let look = self.gates[part].look(place, self.now, std::task::Waker::noop());
                entered[part] += u32::from(look == Look::Entered);
                look != Look::Entered
            });
        }
        entered
    }

    fn inside(&self) -> Vec<u32> {
        self.gates.iter().map(Gate::inside).collect()
    }

    fn limits(&self) -> Vec<u32> {
        self.gates.iter().map(Gate::limit).collect()
    }

    fn share(&self, part: usize) -> u32 {
        self.balance.guaranteed(part)
    }
}

#[test]
fn shares_come_to_the_whole() {
    for (total, shares, expected) in [
        (100, &[0.9, 0.1][..], &[90, 10, 0][..]),
        (100, &[0.5, 0.2], &[50, 20, 30]),
        (1, &[0.9, 0.1], &[1, 0, 0]),
        (0, &[0.9, 0.1], &[0, 0, 0]),
        (10, &[1.0, 1.0], &[5, 5, 0]),
        (7, &[], &[7]),
        (3, &[0.3, 0.3, 0.3], &[1, 1, 1, 0]),
        (u32::MAX, &[0.5, 0.5], &[2_147_483_648, 2_147_483_647, 0]),
    ] {
        let mut limits = Divided::new(total, shares, NEVER).limits();
        limits.sort_unstable_by(|a, b| b.cmp(a));
        let mut expected = expected.to_vec();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(limits, expected, "{total} by {shares:?}");
    }
}

#[test]
fn what_is_not_used_is_lent_and_comes_back_as_the_borrowers_leave() {
    let mut divided = Divided::new(10, &[0.8, 0.2], NEVER);
    assert!((0..10).all(|_| divided.enter(1)) && !divided.enter(1));
    for _ in 0..8 {
        divided.wait(0);
        divided.wait(1);
    }
    assert_eq!(divided.look(), [0, 0, 0]);
    for returned in 1..=8 {
        divided.leave(1);
        assert_eq!(divided.look(), [1, 0, 0], "{returned}");
    }
    divided.leave(1);
    assert_eq!(divided.look(), [0, 1, 0]);
}

#[test]
fn where_nobody_waits_a_share_is_kept_for_whoever_was_refused() {
    let mut divided = Divided::new(10, &[0.8, 0.2], Duration::from_secs(1));
    assert!((0..10).all(|_| divided.enter(1)) && !divided.enter(0));
    for _ in 0..8 {
        divided.leave(1);
        assert!(!divided.enter(1));
    }
    assert!((0..8).all(|_| divided.enter(0)) && !divided.enter(0));
    divided.leave(0);
    divided.now = divided.now + Duration::from_millis(1001);
    assert!(divided.enter(1));
}

#[test]
fn the_largest_limit_is_divided_in_a_moment() {
    let mut divided = Divided::new(u32::MAX, &[0.5, 0.2], NEVER);
    assert!(divided.enter(2));
    divided.set_total(1);
    divided.set_total(u32::MAX);
    assert!((0..100).all(|_| divided.enter(0)));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Enter(usize),
    Wait(usize),
    Leave(usize),
    GiveUp(usize),
    Total(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..PARTS).prop_map(Step::Enter),
        4 => (0..PARTS).prop_map(Step::Wait),
        6 => (0..PARTS).prop_map(Step::Leave),
        1 => (0..PARTS).prop_map(Step::GiveUp),
        1 => (0..12_u32).prop_map(Step::Total),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Held against the mere sums: never more than the whole is inside, no permit is idle while
    /// somebody waits, and nobody enters beyond its share while another below its own waits.
    #[test]
    fn nobody_starves_below_its_share_nothing_is_idle_and_the_whole_is_kept(
        total in 0..12_u32,
        shares in [0.0..0.6_f64, 0.0..0.4_f64],
        steps in prop::collection::vec(step(), 0..150),
    ) {
        let mut total = total;
        let mut divided = Divided::new(total, &shares, NEVER);
        for step in steps {
            let before = divided.inside();
            let waited: Vec<usize> = divided.places.iter().map(Vec::len).collect();
            match step {
                Step::Enter(part) => _ = divided.enter(part),
                Step::Wait(part) => divided.wait(part),
                Step::Leave(part) if before[part] > 0 => divided.leave(part),
                Step::GiveUp(part) => if let Some(place) = divided.places[part].pop().flatten() {
                    divided.gates[part].quit(place);
                },
                Step::Total(new) => {
                    total = new;
                    divided.set_total(new);
                }
                Step::Leave(_) => {}
            }
            divided.look();
            let inside = divided.inside();
            let (sum, sum_before): (u32, u32) = (inside.iter().sum(), before.iter().sum());
            prop_assert!(sum <= total.max(sum_before), "{sum} inside of {total}");
            let waits = |part: usize| !divided.places[part].is_empty();
            if (0..PARTS).any(waits) {
                prop_assert!(sum >= total, "{} idle", total - sum);
            }
            for part in 0..PARTS {
                let starves = waited[part] > 0 && waits(part) && inside[part] < divided.share(part);
                for other in 0..PARTS {
                    let lent = inside[other] > before[other] && inside[other] > divided.share(other);
                    prop_assert!(!(starves && lent), "{part} starves and {other} is let in");
                }
            }
        }
    }
}
