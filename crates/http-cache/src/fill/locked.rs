//! What the readers of a body share under its lock.

use std::{collections::BTreeMap, mem, task::Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tower_ballast_core::BoxError;

use super::{End, Keep, allowance::Reserved, pieces::Pieces, reader::Place, source::Source};

pub(super) struct Locked {
    pub(super) phase: Phase,
    /// The source wants to be asked, and has not been since.
    pub(super) due: bool,
    pub(super) pieces: Pieces,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) reserved: Reserved,
    pub(super) keep: Option<Keep>,
    /// Whether the body was kept, once that is known.
    pub(super) kept: Option<bool>,
    readers: usize,
    next: u64,
    has_first: bool,
    reading: BTreeMap<u64, Waker>,
    waiting: BTreeMap<u64, Waker>,
}

/// Where the source is.
pub(super) enum Phase {
    /// With the one who asks it.
    Out,
    Here(Source),
    /// It has given everything, or less than it said.
    Ended {
        is_whole: bool,
    },
    /// It failed; the error is for the first reader.
    Cut(Option<BoxError>),
    /// It grew too large to be kept, or found no room, and is for the first reader alone.
    Alone(Option<Source>),
}

impl Locked {
    /// The number of the one who began it.
    pub(super) const FIRST: u64 = 0;

    pub(super) fn new(source: Source, reserved: Reserved, keep: Keep) -> Self {
        Self {
            phase: Phase::Here(source),
            due: true,
            pieces: Pieces::new(),
            trailers: None,
            reserved,
            keep: Some(keep),
            kept: None,
            readers: 1,
            next: 1,
            has_first: true,
            reading: BTreeMap::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// One reader more, and its number; none when it cannot have all.
    pub(super) fn join(&mut self) -> Option<u64> {
        let is_open = match self.phase {
            Phase::Out | Phase::Here(_) => self.readers > 0,
            Phase::Ended { is_whole } => is_whole,
            Phase::Cut(_) | Phase::Alone(_) => false,
        };
        if !is_open {
            return None;
        }
        self.readers += 1;
        self.next += 1;
        Some(self.next - 1)
    }

    /// Whether there is something to read at `place`, or without one, whether it is known what became of the body.
    pub(super) fn has_news(&self, place: Option<Place>) -> bool {
        match place {
            Some(place) => {
                self.has_more(place) || !matches!(self.phase, Phase::Out | Phase::Here(_))
            }
            None => self.kept.is_some(),
        }
    }

    pub(super) fn has_more(&self, place: Place) -> bool {
        place.bytes < self.pieces.length() || self.trailers.is_some() && !place.has_trailers
    }

    /// What comes next at `place`; of small frames all that have come since.
    pub(super) fn next(&self, place: Place) -> Option<Frame<Bytes>> {
        if let Some(data) = self.pieces.get(place.bytes) {
            return Some(Frame::data(data));
        }
        self.trailers.clone().filter(|_| !place.has_trailers).map(Frame::trailers)
    }

    pub(super) fn sleep(&mut self, number: u64, reads: bool, waker: &Waker) {
        let sleepers = if reads { &mut self.reading } else { &mut self.waiting };
        sleepers
            .entry(number)
            .and_modify(|known| known.clone_from(waker))
            .or_insert_with(|| waker.clone());
    }

    pub(super) fn awake(&mut self, number: u64) {
        self.reading.remove(&number);
        self.waiting.remove(&number);
    }

    /// The source, if it is here and wants to be asked.
    pub(super) fn take_due(&mut self) -> Option<Source> {
        if !self.due {
            return None;
        }
        match mem::replace(&mut self.phase, Phase::Out) {
            Phase::Here(source) => {
                self.due = false;
                Some(source)
            }
            phase => {
                self.phase = phase;
                None
            }
        }
    }

    /// It has given a piece, and has to be asked for the next one.
    pub(super) fn put_back(&mut self, source: Source) {
        (self.phase, self.due) = (Phase::Here(source), true);
    }

    pub(super) fn close(&mut self, phase: Phase) -> Vec<Waker> {
        self.phase = phase;
        self.wake_all()
    }

    /// Takes a frame in, and tells why the body cannot be kept with it.
    pub(super) fn take_in(
        &mut self,
        frame: Frame<Bytes>,
        said: Option<u64>,
        limit: u64,
    ) -> Result<(), End> {
        let data = match frame.into_data() {
            Ok(data) => data,
            // A frame of a kind that is not known cannot be given twice, and is left out.
            Err(frame) => {
                let trailers = frame.into_trailers().ok().filter(|trailers| !trailers.is_empty());
                self.trailers = self.trailers.take().or(trailers);
                return Ok(());
            }
        };
        let length = self.pieces.length() + data.len() as u64;
        let fits = if length > said.unwrap_or(limit) {
            Err(End::TooLarge)
        } else if said.is_none() && !self.reserved.cover(length) {
            Err(End::NoRoom)
        } else {
            Ok(())
        };
        if fits.is_ok() {
            self.pieces.push(&data, said);
        } else {
            self.pieces.push_as_it_is(data);
        }
        fits
    }

    /// What is there and the rest are for the first reader, if that is still there.
    pub(super) fn go_alone(&mut self, source: Source) -> Vec<Waker> {
        self.phase = Phase::Alone(Some(source).filter(|_| self.has_first));
        if !self.has_first {
            self.pieces = Pieces::new();
        }
        self.wake_all()
    }

    /// A reader goes away; with the last one what has come is dropped. Who has to be woken, and what is to be dropped.
    pub(super) fn leave(&mut self, number: u64) -> (Vec<Waker>, Option<Phase>) {
        self.readers -= 1;
        self.awake(number);
        if number == Self::FIRST {
            self.has_first = false;
        }
        if !self.has_first && matches!(self.phase, Phase::Alone(Some(_))) {
            let source = mem::replace(&mut self.phase, Phase::Alone(None));
            return (Vec::new(), Some(source));
        }
        if self.readers == 0 && matches!(self.phase, Phase::Here(_)) {
            let source = mem::replace(&mut self.phase, Phase::Cut(None));
            (self.pieces, self.reserved) = (Pieces::new(), Reserved::none());
            return (Vec::new(), Some(source));
        }
        // Perhaps it was the one that was woken to ask.
        (if self.due { self.wake_for_more(true) } else { Vec::new() }, None)
    }

    /// All who read, and perhaps one of those who wait for the end: any of them may ask the source. One that was
    /// woken and does not ask is not woken again, so that it holds nobody up.
    pub(super) fn wake_for_more(&mut self, and_one: bool) -> Vec<Waker> {
        let mut wakers: Vec<Waker> = mem::take(&mut self.reading).into_values().collect();
        if and_one {
            wakers.extend(self.waiting.pop_first().map(|(_, waker)| waker));
        }
        wakers
    }

    pub(super) fn wake_all(&mut self) -> Vec<Waker> {
        let reading = mem::take(&mut self.reading).into_values();
        reading.chain(mem::take(&mut self.waiting).into_values()).collect()
    }
}
