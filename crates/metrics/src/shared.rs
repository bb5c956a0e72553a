//! What all services of one layer share.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use tower_ballast_core::{Key, Lease, Name, Spread, clock};

use crate::{
    export::Export,
    series::Series,
    statistics::{OperationStatistics, Statistics},
    table::Table,
};

/// Requests that nothing names.
const UNNAMED: &str = "requests";
/// Requests whose names found no room.
const OTHER: &str = "other";
pub(crate) const MOST_OPERATIONS: u32 = 1000;

pub(crate) struct Shared {
    name: OnceLock<Name>,
    export: OnceLock<Arc<dyn Export + Send + Sync>>,
    unnamed: OnceLock<Spread<Series>>,
    named: Table<Spread<Series>>,
    other: OnceLock<Spread<Series>>,
}

impl Shared {
    pub(crate) fn new(most_operations: u32) -> Self {
        Self {
            name: OnceLock::new(),
            export: OnceLock::new(),
            unnamed: OnceLock::new(),
            named: Table::new(most_operations),
            other: OnceLock::new(),
        }
    }

    pub(crate) fn separate(&self) -> Self {
        let separate = Self::new(self.most_operations());
        if let Some(export) = self.export.get() {
            let _ = separate.export.set(Arc::clone(export));
        }
        separate
    }

    pub(crate) fn rename(&self, name: Name) {
        let _ = self.name.set(name);
    }

    pub(crate) fn name(&self) -> &str {
        self.name.get().map_or("metrics", |name| name)
    }

    pub(crate) fn set_export(&self, export: Arc<dyn Export + Send + Sync>) {
        let _ = self.export.set(export);
    }

    pub(crate) fn most_operations(&self) -> u32 {
        self.named.most()
    }

    pub(crate) fn set_most_operations(&self, most: u32) {
        self.named.set_most(most);
    }

    /// A share of what counts the operation.
    #[inline]
    pub(crate) fn lease(&self, operation: Option<&str>) -> Lease<Series> {
        let Some(operation) = operation else {
            return self.lasting(&self.unnamed, UNNAMED).lease();
        };
        let key = Key::of(operation);
        match self.named.get(key) {
            Some(series) => series.lease(),
            None => self.newcomer(key, operation).lease(),
        }
    }

    #[cold]
    fn newcomer(&self, key: Key, operation: &str) -> &Spread<Series> {
        // There is one series of each name.
        if operation == UNNAMED {
            return self.lasting(&self.unnamed, UNNAMED);
        } else if operation == OTHER {
            return self.lasting(&self.other, OTHER);
        }
        let make = || self.make(Name::from(operation.to_owned()));
        match self.named.get_or_make(key, make) {
            Some(series) => series,
            None => self.lasting(&self.other, OTHER),
        }
    }

    #[inline]
    fn lasting<'a>(
        &self,
        place: &'a OnceLock<Spread<Series>>,
        name: &'static str,
    ) -> &'a Spread<Series> {
        match place.get() {
            Some(series) => series,
            None => self.make_lasting(place, name),
        }
    }

    #[cold]
    fn make_lasting<'a>(
        &self,
        place: &'a OnceLock<Spread<Series>>,
        name: &'static str,
    ) -> &'a Spread<Series> {
        // Made outside of the lock, since it asks the user's export.
        let _ = place.set(self.make(Name::literal(name)));
        place.get().expect("it is set just above")
    }

    fn make(&self, operation: Name) -> Spread<Series> {
        let sink = self.export.get().map(|export| export.operation(self.name(), &operation));
        Spread::new(Series::new(operation, sink))
    }

    pub(crate) fn of(&self, operation: &str) -> Option<OperationStatistics> {
        let lasting = |series: &&Spread<Series>| *series.name == *operation;
        let series = match self.named.get(Key::of(operation)) {
            Some(series) => series,
            None => self.unnamed.get().into_iter().chain(self.other.get()).find(lasting)?,
        };
        Some(read(series))
    }

    pub(crate) fn read(&self) -> Statistics {
        let all = self.unnamed.get().into_iter().chain(self.named.iter()).chain(self.other.get());
        let mut operations: Vec<_> = all.map(read).collect();
        operations.sort_by(|one, other| one.name.cmp(&other.name));
        Statistics { layer: Name::from(self.name().to_owned()), operations }
    }
}

fn read(series: &Spread<Series>) -> OperationStatistics {
    series.read(clock::now(), series.leases())
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("name", &self.name())
            .field("operations", &self.named)
            .finish_non_exhaustive()
    }
}
