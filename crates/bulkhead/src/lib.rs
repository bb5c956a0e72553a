//! A Tower layer that bounds how many requests run at once, and how many may wait.
