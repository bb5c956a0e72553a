//! An HTTP cache as a Tower layer.
