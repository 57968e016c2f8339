//! A defect met by one request is told to that request alone. Invariant: no panic leaves `contain`.

use crate::status::Fault;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wire::Code;

/// Runs `work`; should it panic, the request fails with code 5 and the server lives on. What the panic said goes where
/// the panic hook sends it, not to the client.
pub(crate) fn contain<R>(work: impl FnOnce() -> Result<R, Fault>) -> Result<R, Fault> {
    // The engine guards its own state: what a panic leaves half done there is the engine's to find.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let text = Code::ServiceInternal.text();
        Err(Fault::new(
            Code::ServiceInternal,
            format!("this request met a defect of the server, others are not affected: {text}"),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_code_5() {
        let fault = contain::<()>(|| panic!("as a test")).unwrap_err();
        assert_eq!(fault.code(), Code::ServiceInternal);
        assert_eq!(contain(|| Ok(7)).unwrap(), 7);
    }
}
