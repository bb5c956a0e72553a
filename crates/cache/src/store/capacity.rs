use tower_ballast_core::Invalid;

/// How much a store may keep: bytes, entries, or both.
///
/// An entry counts as the size that is given with it, and what its place in the store takes. Zero is legal: then nothing
/// is kept, and those who ask for the same at the same time share a call all the same.
///
/// ```
/// use tower_ballast_cache::store::Capacity;
///
/// const SMALL: Capacity = Capacity::mebibytes(1).and_entries(1000);
/// assert_eq!((SMALL.bytes(), SMALL.entries()), (Some(1_048_576), Some(1000)));
///
/// let refused = Capacity::try_mebibytes("cache.size", -1.0).unwrap_err();
/// assert_eq!(refused.to_string(), "cache.size is -1, must be a number of MiB from 0 to 1048576");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    bytes: Option<u64>,
    entries: Option<u64>,
}

const MEBIBYTE: u64 = 1024 * 1024;

impl Capacity {
    /// At most so many bytes.
    #[must_use]
    pub const fn of_bytes(bytes: u64) -> Self {
        Self { bytes: Some(bytes), entries: None }
    }

    /// At most so many times 1 048 576 bytes.
    #[must_use]
    pub const fn mebibytes(mebibytes: u32) -> Self {
        Self::of_bytes(mebibytes as u64 * MEBIBYTE)
    }

    /// At most so many times 1 048 576 bytes, a number that comes from a file or a person.
    ///
    /// # Errors
    ///
    /// When it is no number from 0 to 1048576, a tebibyte.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is in the range"
    )]
    pub fn try_mebibytes(setting: &str, mebibytes: f64) -> Result<Self, Invalid> {
        if (0.0..=1_048_576.0).contains(&mebibytes) {
            return Ok(Self::of_bytes((mebibytes * 1_048_576.0) as u64));
        }
        Err(Invalid::new(setting, mebibytes, "a number of MiB from 0 to 1048576"))
    }

    /// At most so many entries, whatever their size.
    #[must_use]
    pub const fn of_entries(entries: u64) -> Self {
        Self { bytes: None, entries: Some(entries) }
    }

    /// And at most so many entries.
    #[must_use]
    pub const fn and_entries(mut self, entries: u64) -> Self {
        self.entries = Some(entries);
        self
    }

    /// How many bytes at most.
    #[must_use]
    pub const fn bytes(self) -> Option<u64> {
        self.bytes
    }

    /// How many entries at most.
    #[must_use]
    pub const fn entries(self) -> Option<u64> {
        self.entries
    }
}
