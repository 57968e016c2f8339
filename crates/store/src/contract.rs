//! One suite that judges every back end.
