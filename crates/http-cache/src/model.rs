//! A body on its way, which is not public, for the models in `tests/loom.rs`.

use std::{fmt, future::poll_fn, sync::Arc};

use bytes::Bytes;
use http_body::Body;
use loom::sync::Mutex;
use tower_ballast_core::BoxError;

use crate::fill::{Allowance, End, Ended, Fill, Read, Reader, source};

/// One who reads it.
pub struct One {
    reader: Reader,
    kept: Arc<Mutex<Vec<Option<Bytes>>>>,
}

/// The body, for those who do not read it yet.
pub struct Watch {
    fill: Arc<Fill>,
    kept: Arc<Mutex<Vec<Option<Bytes>>>>,
}

impl Watch {
    /// One who reads it, if it can have all of it.
    #[must_use]
    pub fn join(&self) -> Option<One> {
        let reader = self.fill.join()?;
        Some(One { reader, kept: Arc::clone(&self.kept) })
    }
}

impl One {
    /// The first one who reads a body that may have so many bytes, beside as many of others.
    ///
    /// # Panics
    ///
    /// Never: there is room for it.
    #[must_use]
    pub fn first<B>(body: B, length: Option<u64>, limit: u64) -> Self
    where
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&kept);
        let keep = Box::new(move |end| {
            let whole = if let End::Whole(whole) = end { Some(whole) } else { None };
            told.lock().expect("nobody panics with it").push(whole);
        });
        let reserved = Allowance::new(limit).reserve(length.unwrap_or(1));
        let reserved = reserved.expect("there is room for it");
        Self { reader: Fill::begin(source(body), length, limit, reserved, keep), kept }
    }

    /// Another one, if it can have all of it.
    #[must_use]
    pub fn join(&self) -> Option<Self> {
        self.watch().join()
    }

    /// What another one may join.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch { fill: Arc::clone(self.reader.fill()), kept: Arc::clone(&self.kept) }
    }

    /// What comes next: something, nothing more, or that it was cut off.
    ///
    /// # Errors
    ///
    /// When it was cut off, or goes on for the first one alone.
    pub async fn next(&mut self) -> Result<Option<Bytes>, &'static str> {
        match poll_fn(|cx| self.reader.poll(cx)).await {
            Read::Next(None) => Ok(None),
            Read::Next(Some(Ok(frame))) => Ok(Some(frame.into_data().unwrap_or_default())),
            Read::Next(Some(Err(_))) => Err("cut"),
            Read::Rest(_) => Err("alone"),
        }
    }

    /// All of it.
    ///
    /// # Errors
    ///
    /// When it was cut off, or goes on for the first one alone.
    pub async fn all(mut self) -> Result<Vec<u8>, &'static str> {
        let mut all = Vec::new();
        while let Some(data) = self.next().await? {
            all.extend_from_slice(&data);
        }
        Ok(all)
    }

    /// How many bytes it has in the end, or what else became of it.
    ///
    /// # Errors
    ///
    /// When it was cut off, or goes on for the first one alone.
    pub async fn end(&mut self) -> Result<u64, &'static str> {
        match poll_fn(|cx| self.reader.poll_end(cx)).await {
            Ended::Whole(length) => Ok(length),
            Ended::Alone => Err("alone"),
            Ended::Cut => Err("cut"),
        }
    }

    /// What was kept of it, each time that this was decided.
    ///
    /// # Panics
    ///
    /// Never: nobody panics with it.
    #[must_use]
    pub fn kept(&self) -> Vec<Option<Bytes>> {
        self.kept.lock().expect("nobody panics with it").clone()
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("fill", &self.fill).finish_non_exhaustive()
    }
}

impl fmt::Debug for One {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("One").field("reader", &self.reader).finish_non_exhaustive()
    }
}
