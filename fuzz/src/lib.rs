//! What the fuzz targets share: heads of messages as text, and stories of one cache with a naive reckoning beside them.

pub mod head;
pub mod reckoning;
pub mod story;
pub mod telling;
pub mod written;
