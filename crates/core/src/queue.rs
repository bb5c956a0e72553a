//! A line of waiting callers.

use std::task::Waker;

const NONE: u32 = u32::MAX;

/// A line of waiting callers: first come, first served within a class, and O(1) to leave from
/// anywhere.
///
/// It is plain data, kept under the lock of whatever the callers wait for. Only the first of a
/// class asks whether it may go on, so an opening wakes one caller and not the whole line; whoever
/// leaves from the front is handed the waker of its successor, to be woken outside of the lock.
/// Which class goes first is for the owner to say.
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
///
/// let mut line = Line::<2>::with_classes();
/// let (low, high) = (line.join_class(1), line.join_class(0));
/// assert!(line.is_first(&low) && line.is_first(&high));
/// assert_eq!((line.len(), line.len_of(0)), (2, 1));
/// # line.leave(low);
/// # line.leave(high);
/// ```
#[derive(Debug)]
pub struct Line<const CLASSES: usize = 1> {
    slots: Vec<Slot>,
    free: u32,
    len: u32,
    ends: [Ends; CLASSES],
}

#[derive(Debug, Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
    len: u32,
}

#[derive(Debug)]
struct Slot {
    waker: Option<Waker>,
    previous: u32,
    next: u32,
    class: usize,
}

/// A caller's place in a [`Line`]. It must be given back to [`Line::leave`].
#[derive(Debug)]
#[must_use = "a place that is not given back blocks the line"]
pub struct Place {
    slot: u32,
    class: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Line {
    /// An empty line with one class.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_classes()
    }

    /// Takes the last place.
    ///
    /// # Panics
    ///
    /// With 2^32 callers in line; their memory would be gone long before.
    pub fn join(&mut self) -> Place {
        self.join_class(0)
    }

    /// The waker of the first in line, when there may be room for it.
    #[must_use = "the first caller has to be woken"]
    pub fn first_waker(&mut self) -> Option<Waker> {
        self.first_waker_of(0)
    }
}

impl<const CLASSES: usize> Line<CLASSES> {
    /// An empty line with a number of classes.
    #[must_use]
    pub const fn with_classes() -> Self {
        let nobody = Ends { first: NONE, last: NONE, len: 0 };
        Self { slots: Vec::new(), free: NONE, len: 0, ends: [nobody; CLASSES] }
    }

    /// How many callers wait.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// How many callers of a class wait.
    ///
    /// # Panics
    ///
    /// When there is no such class.
    #[must_use]
    pub const fn len_of(&self, class: usize) -> u32 {
        self.ends[class].len
    }

    /// Whether nobody waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the last place of a class.
    ///
    /// # Panics
    ///
    /// When there is no such class, and with 2^32 callers in line.
    pub fn join_class(&mut self, class: usize) -> Place {
        let last = self.ends[class].last;
        let new = Slot { waker: None, previous: last, next: NONE, class };
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
            NONE => self.ends[class].first = slot,
            last => self.at(last).next = slot,
        }
        self.ends[class].last = slot;
        self.ends[class].len += 1;
        self.len += 1;
        Place { slot, class }
    }

    /// Whether nobody of its class stands before this place.
    #[must_use]
    pub const fn is_first(&self, place: &Place) -> bool {
        self.ends[place.class].first == place.slot
    }

    /// Leaves word whom to wake; the last word counts.
    pub fn park(&mut self, place: &Place, waker: &Waker) {
        match &mut self.at(place.slot).waker {
            Some(parked) => parked.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Gives a place back. If it was the first, the waker of the next in its class is returned.
    #[must_use = "the next caller has to be woken"]
    pub fn leave(&mut self, place: Place) -> Option<Waker> {
        let class = place.class;
        if self.remove(place) { self.first_waker_of(class) } else { None }
    }

    /// Gives a place back without a word to the next, and says whether it was the first.
    #[allow(clippy::needless_pass_by_value, reason = "a place is given back once")]
    pub fn remove(&mut self, place: Place) -> bool {
        let Place { slot, class } = place;
        let was_first = self.ends[class].first == slot;
        let (previous, next) = {
            let slot = self.at(slot);
            debug_assert_eq!(slot.class, class, "a place belongs to one line");
            slot.waker = None;
            (slot.previous, slot.next)
        };
        match previous {
            NONE => self.ends[class].first = next,
            previous => self.at(previous).next = next,
        }
        match next {
            NONE => self.ends[class].last = previous,
            next => self.at(next).previous = previous,
        }
        self.at(slot).next = self.free;
        self.free = slot;
        self.ends[class].len -= 1;
        self.len -= 1;
        if self.len == 0 {
            *self = Self::with_classes();
        }
        was_first
    }

    /// The waker of the first in a class, when there may be room for it.
    ///
    /// # Panics
    ///
    /// When there is no such class.
    #[must_use = "the first caller has to be woken"]
    pub fn first_waker_of(&mut self, class: usize) -> Option<Waker> {
        match self.ends[class].first {
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn each_class_behaves_like_a_deque(
            steps in prop::collection::vec((0_u8..=9, 0..3_usize), 1..200),
        ) {
            let mut line = Line::<3>::with_classes();
            let mut model: [VecDeque<Place>; 3] = Default::default();
            for (step, class) in steps {
                if step < 5 || model[class].is_empty() {
                    model[class].push_back(line.join_class(class));
                } else {
                    let index = usize::from(step) % model[class].len();
                    let place = model[class].remove(index).unwrap();
                    prop_assert_eq!(line.remove(place), index == 0);
                }
                for (class, places) in model.iter().enumerate() {
                    prop_assert_eq!(line.len_of(class) as usize, places.len());
                    for (index, place) in places.iter().enumerate() {
                        prop_assert_eq!(line.is_first(place), index == 0);
                    }
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
