//! A line of waiting callers.

use std::task::Waker;

const NONE: u32 = u32::MAX;

/// A line of waiting callers: first come, first served, and O(1) to leave from anywhere.
///
/// It is plain data, kept under the lock of whatever the callers wait for. Only the first asks
/// whether it may go on, so an opening wakes one caller and not the whole line; whoever leaves from
/// the front is handed the waker of its successor, to be woken outside of the lock. Where callers
/// differ in rank there are [`Ranks`](crate::ranks::Ranks).
///
/// Memory grows with the callers that wait at one time, and is given back when the line is empty.
///
/// ```
/// use tower_ballast_core::queue::Line;
///
/// let mut line = Line::new();
/// let (first, second) = (line.join(), line.join());
/// assert!(line.is_first(&first) && !line.is_first(&second));
/// line.leave(first);
/// assert!(line.is_first(&second));
/// # line.leave(second);
/// ```
#[derive(Debug)]
pub struct Line {
    slots: Vec<Slot>,
    free: u32,
    first: u32,
    last: u32,
    len: u32,
}

#[derive(Debug)]
struct Slot {
    waker: Option<Waker>,
    previous: u32,
    next: u32,
}

/// A caller's place in a [`Line`]. It must be given back to [`Line::leave`].
#[derive(Debug)]
#[must_use = "a place that is not given back blocks the line"]
pub struct Place {
    slot: u32,
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Line {
    /// An empty line.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: Vec::new(), free: NONE, first: NONE, last: NONE, len: 0 }
    }

    /// How many callers wait.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether nobody waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the last place.
    ///
    /// # Panics
    ///
    /// With 2^32 callers in line; their memory would be gone long before.
    pub fn join(&mut self) -> Place {
        let last = self.last;
        let new = Slot { waker: None, previous: last, next: NONE };
        let slot = if self.free == NONE {
            self.slots.push(new);
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 callers wait")
        } else {
            let slot = self.free;
            self.free = self.at(slot).next;
            *self.at(slot) = new;
            slot
        };
        match last {
            NONE => self.first = slot,
            last => self.at(last).next = slot,
        }
        self.last = slot;
        self.len += 1;
        Place { slot }
    }

    /// Whether nobody stands before this place.
    #[must_use]
    pub const fn is_first(&self, place: &Place) -> bool {
        self.first == place.slot
    }

    /// Leaves word whom to wake; the last word counts.
    pub fn park(&mut self, place: &Place, waker: &Waker) {
        match &mut self.at(place.slot).waker {
            Some(parked) => parked.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Gives a place back. If it was the first, the waker of the next is returned.
    #[must_use = "the next caller has to be woken"]
    #[allow(clippy::needless_pass_by_value, reason = "a place is given back once")]
    pub fn leave(&mut self, place: Place) -> Option<Waker> {
        let was_first = self.is_first(&place);
        let (previous, next) = {
            let slot = self.at(place.slot);
            slot.waker = None;
            (slot.previous, slot.next)
        };
        match previous {
            NONE => self.first = next,
            previous => self.at(previous).next = next,
        }
        match next {
            NONE => self.last = previous,
            next => self.at(next).previous = previous,
        }
        self.at(place.slot).next = self.free;
        self.free = place.slot;
        self.len -= 1;
        if self.len == 0 {
            *self = Self::new();
        }
        if was_first { self.first_waker() } else { None }
    }

    /// The waker of the first in line, when there may be room for it.
    #[must_use = "the first caller has to be woken"]
    pub fn first_waker(&mut self) -> Option<Waker> {
        match self.first {
            NONE => None,
            first => self.at(first).waker.take(),
        }
    }

    fn at(&mut self, slot: u32) -> &mut Slot {
        &mut self.slots[slot as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn it_behaves_like_a_deque(steps in prop::collection::vec(0_u8..=9, 1..200)) {
            let mut line = Line::new();
            let mut model: VecDeque<(usize, Place)> = VecDeque::new();
            for (id, step) in steps.into_iter().enumerate() {
                if step < 5 || model.is_empty() {
                    model.push_back((id, line.join()));
                } else {
                    let (_, place) = model.remove(usize::from(step) % model.len()).unwrap();
                    let _ = line.leave(place);
                }
                prop_assert_eq!(line.len() as usize, model.len());
                for (index, (_, place)) in model.iter().enumerate() {
                    prop_assert_eq!(line.is_first(place), index == 0);
                }
            }
        }
    }

    #[test]
    fn an_empty_line_holds_no_memory() {
        let mut line = Line::new();
        let places: Vec<_> = (0..10_000).map(|_| line.join()).collect();
        for place in places {
            let _ = line.leave(place);
        }
        assert_eq!(line.slots.capacity(), 0);
    }

    #[test]
    fn leaving_the_front_hands_over_and_leaving_elsewhere_does_not() {
        let mut line = Line::new();
        let (first, second, third) = (line.join(), line.join(), line.join());
        line.park(&second, Waker::noop());
        line.park(&third, Waker::noop());
        assert!(line.leave(third).is_none());
        assert!(line.leave(first).is_some());
        assert!(line.leave(second).is_none());
    }
}
