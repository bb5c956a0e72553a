//! Limits the rate of requests.
