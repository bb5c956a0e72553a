use std::num::NonZeroU32;

use super::Tally;

/// The last so many calls, whatever came before them.
///
/// It slides with each call: the newest comes in, the oldest goes out. A call takes two bits, one
/// of each kind. Memory comes in pieces of 32 KiB for 262 144 bits of a kind, the first two at
/// once (smaller when that suffices) and each other one when it has a bit to remember. Recording
/// costs the same for any length.
///
/// ```
/// use tower_ballast_core::{count, window::CountWindow};
///
/// let mut window = CountWindow::new(count::<2>());
/// window.record(true, false);
/// window.record(false, false);
/// assert_eq!(window.tally().failure_rate(), 0.5);
/// window.record(false, false);
/// assert_eq!(window.tally().failure_rate(), 0.0);
/// ```
#[derive(Debug, Clone)]
pub struct CountWindow {
    length: u32,
    failed: Bits,
    slow: Bits,
    /// Where the next call goes, and what is remembered.
    next: u32,
    sum: Tally,
}

impl CountWindow {
    /// A window over this many calls.
    #[must_use]
    pub fn new(length: NonZeroU32) -> Self {
        let length = length.get();
        let (failed, slow) = (Bits::new(length), Bits::new(length));
        Self { length, failed, slow, next: 0, sum: Tally::default() }
    }

    /// Counts a call.
    #[inline]
    pub fn record(&mut self, failed: bool, slow: bool) {
        self.sum.failures -= u64::from(self.failed.replace(self.next, failed));
        self.sum.slow -= u64::from(self.slow.replace(self.next, slow));
        self.sum += Tally { calls: 0, ..Tally::call(failed, slow) };
        self.step(1);
    }

    /// Counts so many calls that neither failed nor were slow, 64 at a time.
    pub fn record_successes(&mut self, calls: u64) {
        let mut left = match u32::try_from(calls) {
            Ok(calls) if calls < self.length => calls,
            _ => {
                self.clear();
                self.sum.calls = u64::from(self.length);
                return;
            }
        };
        while left > 0 {
            let run = left.min(WORD - self.next % WORD).min(self.length - self.next);
            self.sum.failures -= u64::from(self.failed.clear(self.next, run));
            self.sum.slow -= u64::from(self.slow.clear(self.next, run));
            self.step(run);
            left -= run;
        }
    }

    /// The calls in the window.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.sum
    }

    /// How many calls it can hold.
    #[must_use]
    pub fn length(&self) -> u32 {
        self.length
    }

    /// Forgets all calls.
    pub fn clear(&mut self) {
        self.failed.forget();
        self.slow.forget();
        (self.next, self.sum) = (0, Tally::default());
    }

    /// Takes another length and keeps the latest calls, as many as it holds. It copies them one by
    /// one.
    pub fn resize(&mut self, length: NonZeroU32) {
        let mut resized = Self::new(length);
        let kept = u32::try_from(self.sum.calls).unwrap_or(self.length).min(resized.length);
        for age in (1..=kept).rev() {
            let place = match self.next.checked_sub(age) {
                Some(place) => place,
                None => self.length - (age - self.next),
            };
            resized.record(self.failed.is_set(place), self.slow.is_set(place));
        }
        *self = resized;
    }

    /// Moves on by calls that are written already and do not pass the end.
    #[inline]
    fn step(&mut self, calls: u32) {
        self.sum.calls = (self.sum.calls + u64::from(calls)).min(u64::from(self.length));
        self.next = if calls == self.length - self.next { 0 } else { self.next + calls };
    }
}

const WORD: u32 = u64::BITS;
/// Words of a piece, 32 KiB. Both kinds together allocate 64 KiB at build at most.
const PIECE: u32 = 4096;

/// So many bits, all clear, of which pieces without a set bit need no memory.
#[derive(Debug, Clone)]
struct Bits {
    pieces: Vec<Box<[u64]>>,
}

impl Bits {
    fn new(length: u32) -> Self {
        let words = length.div_ceil(WORD).min(PIECE);
        Self { pieces: vec![zeros(words)] }
    }

    fn is_set(&self, place: u32) -> bool {
        let (piece, word, mask) = locate(place, 1);
        self.pieces.get(piece).and_then(|words| words.get(word)).is_some_and(|word| word & mask > 0)
    }

    /// Writes a bit and says what it was.
    #[inline]
    fn replace(&mut self, place: u32, bit: bool) -> bool {
        let was_set = self.clear(place, 1) > 0;
        if bit {
            let (piece, word, mask) = locate(place, 1);
            if let Some(word) = self.piece(piece).get_mut(word) {
                *word |= mask;
            }
        }
        was_set
    }

    /// Clears bits that lie in one word, and says how many were set.
    #[inline]
    fn clear(&mut self, place: u32, run: u32) -> u32 {
        let (piece, word, mask) = locate(place, run);
        let Some(word) = self.pieces.get_mut(piece).and_then(|words| words.get_mut(word)) else {
            return 0;
        };
        let set = (*word & mask).count_ones();
        *word &= !mask;
        set
    }

    fn forget(&mut self) {
        self.pieces.truncate(1);
        self.pieces.iter_mut().for_each(|words| words.fill(0));
    }

    fn piece(&mut self, piece: usize) -> &mut [u64] {
        if self.pieces.len() <= piece {
            self.pieces.resize_with(piece, Box::default);
            self.pieces.push(zeros(PIECE));
        }
        let words = &mut self.pieces[piece];
        if words.is_empty() {
            *words = zeros(PIECE);
        }
        words
    }
}

fn zeros(words: u32) -> Box<[u64]> {
    vec![0; words as usize].into()
}

/// The piece, the word in it and the bits in that, of a run that lies in one word.
#[inline]
fn locate(place: u32, run: u32) -> (usize, usize, u64) {
    let mask = (u64::MAX >> (WORD - run)) << (place % WORD);
    let word = place / WORD;
    ((word / PIECE) as usize, (word % PIECE) as usize, mask)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::count;

    #[test]
    fn it_slides_after_any_number_of_successes() {
        let mut window = CountWindow::new(count::<100>());
        (0..100_000).for_each(|_| window.record(false, false));
        (0..50).for_each(|_| window.record(true, false));
        assert_eq!(window.tally(), Tally { calls: 100, failures: 50, slow: 0 });
        (0..50).for_each(|_| window.record(false, true));
        assert_eq!(window.tally(), Tally { calls: 100, failures: 50, slow: 50 });
        (0..50).for_each(|_| window.record(false, false));
        assert_eq!(window.tally(), Tally { calls: 100, failures: 0, slow: 50 });
    }

    #[test]
    fn a_huge_window_takes_memory_only_for_what_it_remembers() {
        let mut window = CountWindow::new(count::<{ u32::MAX }>());
        assert_eq!(words(&window), 2 * PIECE as usize);
        window.record_successes(3_000_000);
        window.record(true, false);
        assert_eq!(words(&window), 3 * PIECE as usize);
        assert_eq!(window.tally(), Tally { calls: 3_000_001, failures: 1, slow: 0 });
        window.record_successes(u64::MAX);
        assert_eq!(window.tally(), Tally::successes(u64::from(u32::MAX)));
        assert_eq!(words(&window), 2 * PIECE as usize);
    }

    #[test]
    fn a_small_window_takes_a_word_of_each() {
        assert_eq!(words(&CountWindow::new(count::<20>())), 2);
    }

    #[test]
    fn pieces_meet_without_a_seam() {
        let length = 2 * PIECE * WORD + 5;
        let mut window = CountWindow::new(NonZeroU32::new(length).unwrap());
        for round in [true, false] {
            (0..length).for_each(|_| window.record(round, !round));
            let all = u64::from(length);
            let expected = Tally {
                calls: all,
                failures: if round { all } else { 0 },
                slow: if round { 0 } else { all },
            };
            assert_eq!(window.tally(), expected);
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Record(bool, bool),
        Successes(u64),
        Resize(u32),
        Clear,
    }

    fn steps() -> impl Strategy<Value = Step> {
        prop_oneof![
            40 => any::<(bool, bool)>().prop_map(|(failed, slow)| Step::Record(failed, slow)),
            8 => (0..300_u64).prop_map(Step::Successes),
            2 => (1..200_u32).prop_map(Step::Resize),
            1 => Just(Step::Clear),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn it_counts_what_a_queue_of_calls_would(
            length in 1..200_u32, steps in prop::collection::vec(steps(), 0..100),
        ) {
            let mut window = CountWindow::new(NonZeroU32::new(length).unwrap());
            let (mut most, mut calls) = (length as usize, VecDeque::new());
            for step in steps {
                match step {
                    Step::Record(failed, slow) => {
                        window.record(failed, slow);
                        calls.push_back(Tally::call(failed, slow));
                    }
                    Step::Successes(count) => {
                        window.record_successes(count);
                        (0..count).for_each(|_| calls.push_back(Tally::successes(1)));
                    }
                    Step::Resize(length) => {
                        window.resize(NonZeroU32::new(length).unwrap());
                        most = length as usize;
                    }
                    Step::Clear => {
                        window.clear();
                        calls.clear();
                    }
                }
                calls.drain(..calls.len().saturating_sub(most));
                let sum = calls.iter().fold(Tally::default(), |sum, call| sum + *call);
                prop_assert_eq!(window.tally(), sum);
            }
        }
    }

    fn words(window: &CountWindow) -> usize {
        let bits = [&window.failed, &window.slow];
        bits.iter().flat_map(|bits| &bits.pieces).map(|piece| piece.len()).sum()
    }
}
