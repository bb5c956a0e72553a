//! A Tower layer that lets equal requests share one call.
