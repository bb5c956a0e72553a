//! What has come of a body, in memory of its own where it came in small frames.

use bytes::Bytes;

/// Smaller frames are copied together, since each may keep a much larger buffer alive that it was cut from, and since
/// a place for each would take more than what is in it.
const SMALL: usize = 16 * 1024;
/// So much room is made at least for small frames.
const LEAST: usize = 512;

/// The data of a body in order, found by their offset.
///
/// Room for small frames is a fraction of what is there already, so that little of it is empty.
pub(super) struct Pieces {
    closed: Vec<Piece>,
    /// Small frames that came last; it is closed when it is full, and never moves.
    open: Vec<u8>,
    length: u64,
}

struct Piece {
    from: u64,
    data: Bytes,
    /// Its memory holds nothing else.
    is_own: bool,
}

impl Pieces {
    pub(super) const fn new() -> Self {
        Self { closed: Vec::new(), open: Vec::new(), length: 0 }
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Adds data of a body that has said how long it is, or has not.
    pub(super) fn push(&mut self, data: &Bytes, said: Option<u64>) {
        if data.len() >= SMALL {
            return self.push_as_it_is(data.clone());
        }
        let (now, later) = data.split_at(data.len().min(self.open.capacity() - self.open.len()));
        self.extend(now);
        if !later.is_empty() {
            self.open = Vec::with_capacity(self.room(later.len(), said));
            self.extend(later);
        }
    }

    /// Adds data without a copy, whatever their size.
    pub(super) fn push_as_it_is(&mut self, data: Bytes) {
        self.close();
        if !data.is_empty() {
            self.add(data, false);
        }
    }

    /// What is there from an offset on, as far as it lies together.
    pub(super) fn get(&self, from: u64) -> Option<Bytes> {
        let at = self.closed.partition_point(|piece| piece.from <= from).checked_sub(1);
        let piece = at.map(|at| &self.closed[at]);
        if let Some(piece) = piece
            && from < piece.end()
        {
            return Some(piece.data.slice(offset(from - piece.from)..));
        }
        let open = self.open.get(offset(from - self.closed_length())..)?;
        (!open.is_empty()).then(|| Bytes::copy_from_slice(open))
    }

    /// All as one, which from now on it is. It has memory of its own: how large the buffers are that large frames were
    /// cut from cannot be seen.
    pub(super) fn whole(&mut self) -> Bytes {
        self.close();
        if let [Piece { data, is_own: true, .. }] = &self.closed[..] {
            return data.clone();
        }
        let mut whole = Vec::with_capacity(offset(self.length));
        // What was copied goes at once, so that most of it is there but once.
        self.closed.drain(..).for_each(|piece| whole.extend_from_slice(&piece.data));
        let whole = Bytes::from(whole);
        self.closed = Vec::new();
        self.length = 0;
        self.add(whole.clone(), true);
        whole
    }

    fn extend(&mut self, data: &[u8]) {
        self.open.extend_from_slice(data);
        self.length += data.len() as u64;
        if self.open.len() == self.open.capacity() {
            self.close();
        }
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            let open = std::mem::take(&mut self.open);
            self.length -= open.len() as u64;
            self.add(open.into_boxed_slice().into(), true);
        }
    }

    fn add(&mut self, data: Bytes, is_own: bool) {
        let from = self.length;
        self.length += data.len() as u64;
        self.closed.push(Piece { from, data, is_own });
    }

    fn closed_length(&self) -> u64 {
        self.length - self.open.len() as u64
    }

    /// How much room to make when so much does not fit: no more than is left of what was said.
    fn room(&self, needed: usize, said: Option<u64>) -> usize {
        let left = said.map_or(usize::MAX, |said| offset(said.saturating_sub(self.length)));
        let room = offset(self.length / 16).clamp(LEAST, SMALL);
        if left <= SMALL { left.max(needed) } else { room.max(needed) }
    }
}

impl Piece {
    const fn end(&self) -> u64 {
        self.from + self.data.len() as u64
    }
}

/// What is in memory has no more bytes than there are addresses.
fn offset(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the data in one piece: whoever stands anywhere reads on to the end, before and after it is one.
        #[test]
        fn they_are_the_data_from_any_offset_on(
            sizes in prop::collection::vec(prop_oneof![0..20_usize, 0..2000_usize, 0..40_000_usize], 0..30),
            places in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
            is_said: bool,
        ) {
            let length: usize = sizes.iter().sum();
            #[allow(clippy::cast_possible_truncation, reason = "any bytes do")]
            let all: Bytes = (0..length).map(|at| (at % 251) as u8).collect();
            let (mut pieces, mut from) = (Pieces::new(), 0);
            for size in sizes {
                pieces.push(&all.slice(from..from + size), is_said.then_some(length as u64));
                from += size;
                prop_assert_eq!(pieces.length(), from as u64);
                for place in &places {
                    prop_assert_eq!(rest(&pieces, place.index(from + 1)), &all[place.index(from + 1)..from]);
                }
            }
            prop_assert_eq!(pieces.whole(), all.clone());
            for place in &places {
                let place = place.index(length + 1);
                prop_assert_eq!(rest(&pieces, place), &all[place..]);
            }
        }
    }

    fn rest(pieces: &Pieces, from: usize) -> Vec<u8> {
        let mut rest = Vec::new();
        while let Some(data) = pieces.get((from + rest.len()) as u64) {
            rest.extend_from_slice(&data);
        }
        rest
    }
}
