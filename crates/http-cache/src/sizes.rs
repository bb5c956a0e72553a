//! What was said about sizes, whether it makes sense together, and the store that goes by it.

use std::sync::{MutexGuard, PoisonError};

use tower_ballast_cache::store::{Capacity, S3Fifo, Store};
use tower_ballast_core::{Invalid, Ratio};

use crate::{identity::Identity, resource::Stored, shared::Shared};

/// What is kept where nothing else is said.
pub(crate) const CAPACITY: Capacity = Capacity::mebibytes(64);
/// The least memory of a cache that keeps anything. With their heads the smallest answers take one to two kibibytes each, and
/// in less than this they would go before they are asked for again.
const LEAST: u64 = 64 * 1024;

/// The sizes that were set; what was not adapts to what was.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sizes {
    pub(crate) capacity: Option<Capacity>,
    pub(crate) largest: Option<u64>,
    pub(crate) coming: Option<u64>,
}

impl Sizes {
    /// Where there is a store of one's own, that says how much an entry may take in it.
    pub(crate) fn check(self, store: Option<u64>) -> Result<(), Invalid> {
        let capacity = match (self.capacity, store) {
            (None, Some(largest)) => Some(largest),
            (capacity, _) => capacity.unwrap_or(CAPACITY).bytes(),
        };
        if let Some(bytes) = self.capacity.and_then(Capacity::bytes)
            && (1..LEAST).contains(&bytes)
        {
            let range = "at least 65536 bytes, room for some dozens of small answers, or 0, which keeps nothing";
            return Err(Invalid::new("capacity", bytes, range));
        }
        at_most(("largest", self.largest), ("capacity", capacity), "at most the capacity")?;
        at_most(("coming", self.coming), ("capacity", capacity), "at most the capacity")?;
        at_most(("largest", self.largest), ("coming", self.coming), "at most what is coming")
    }
}

fn at_most(
    (setting, value): (&str, Option<u64>),
    (other, most): (&str, Option<u64>),
    range: &'static str,
) -> Result<(), Invalid> {
    match value.zip(most) {
        Some((value, most)) if value > most => {
            Err(Invalid::new(setting, format_args!("{value} where {other} is {most}"), range))
        }
        _ => Ok(()),
    }
}

impl Shared {
    pub(crate) fn store(&self) -> &dyn Store<Identity, Stored> {
        match self.store.get() {
            Some(store) => &**store,
            None => self.first_store(),
        }
    }

    #[cold]
    fn first_store(&self) -> &dyn Store<Identity, Stored> {
        // A store is made or set under this lock only: no capacity is set between the look at it and the store.
        let sizes = self.sizes();
        &**self.store.get_or_init(|| Box::new(within(sizes.capacity.unwrap_or(CAPACITY))))
    }

    pub(crate) fn set_store(&self, store: Box<dyn Store<Identity, Stored>>) {
        let sizes = self.sizes();
        if let Some(capacity) = sizes.capacity {
            store.resize(capacity);
        }
        let _ = self.store.set(store);
    }

    pub(crate) fn set_capacity(&self, capacity: Capacity) {
        let mut sizes = self.sizes();
        sizes.capacity = Some(capacity);
        if let Some(store) = self.store.get() {
            store.resize(capacity);
        }
    }

    pub(crate) fn set_largest(&self, bytes: u64) {
        self.sizes().largest = Some(bytes);
        self.settings.set_largest(bytes);
    }

    pub(crate) fn set_coming(&self, bytes: u64) {
        self.sizes().coming = Some(bytes);
        self.allowance.set_limit(bytes);
    }

    pub(crate) fn check_sizes(&self) -> Result<(), Invalid> {
        let store = self.store.get().map(|store| store.largest() as u64);
        self.sizes().check(store)
    }

    fn sizes(&self) -> MutexGuard<'_, Sizes> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A store in which one entry may take everything: how large a body may be is said elsewhere.
fn within(capacity: Capacity) -> S3Fifo<Identity, Stored> {
    S3Fifo::new(capacity).largest_share(Ratio::ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// What is said of a capacity, a largest body and bodies on their way, beside a store of one's own or none.
    fn said(sizes: [Option<u64>; 3], store: Option<u64>) -> String {
        let [capacity, largest, coming] = sizes;
        let sizes = Sizes { capacity: capacity.map(Capacity::of_bytes), largest, coming };
        sizes.check(store).err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_value_and_what_it_must_be() {
        let least = "must be at least 65536 bytes, room for some dozens of small answers, or 0, which keeps nothing";
        for (sizes, error) in [
            ([Some(1), None, None], format!("capacity is 1, {least}")),
            ([Some(1000), None, None], format!("capacity is 1000, {least}")),
            ([Some(65_535), None, None], format!("capacity is 65535, {least}")),
            (
                [None, Some(64 * MIB + 1), None],
                "largest is 67108865 where capacity is 67108864, must be at most the capacity"
                    .to_owned(),
            ),
            (
                [Some(MIB), Some(u64::MAX), None],
                "largest is 18446744073709551615 where capacity is 1048576, must be at most the capacity"
                    .to_owned(),
            ),
            (
                [Some(MIB), None, Some(2 * MIB)],
                "coming is 2097152 where capacity is 1048576, must be at most the capacity"
                    .to_owned(),
            ),
            (
                [None, Some(2000), Some(1000)],
                "largest is 2000 where coming is 1000, must be at most what is coming".to_owned(),
            ),
            (
                [Some(0), Some(1), None],
                "largest is 1 where capacity is 0, must be at most the capacity".to_owned(),
            ),
        ] {
            assert_eq!(said(sizes, None), error);
        }
    }

    #[test]
    fn nothing_and_everything_are_legal_and_what_is_not_said_adapts() {
        for sizes in [
            [None; 3],
            [Some(0); 3],
            [Some(u64::MAX); 3],
            [Some(65_536), None, None],
            [Some(65_536), Some(65_536), Some(65_536)],
            [None, Some(0), None],
            [None, None, Some(0)],
            [None, None, Some(1000)],
            [None, Some(64 * MIB), None],
        ] {
            assert_eq!(said(sizes, None), "", "{sizes:?}");
        }
        let entries = Sizes {
            capacity: Some(Capacity::of_entries(1)),
            largest: Some(u64::MAX),
            coming: Some(u64::MAX),
        };
        assert_eq!(entries.check(None), Ok(()), "entries have no bytes");
    }

    #[test]
    fn a_store_of_ones_own_says_how_large_a_body_may_be() {
        assert_eq!(said([None, Some(MIB), None], Some(MIB)), "");
        assert_eq!(
            said([None, Some(MIB + 1), None], Some(MIB)),
            "largest is 1048577 where capacity is 1048576, must be at most the capacity"
        );
        assert_eq!(said([Some(2 * MIB), Some(MIB + 1), None], Some(MIB)), "", "it is resized");
    }
}
