//! Operation logs of did:plc: whatever is accepted is signed, so periods of keys are in order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pds::identity::PlcLog;

fuzz_target!(|text: &str| {
    let _ = PlcLog::looks_like(text);
    let Ok(log) = PlcLog::parse(text) else { return };
    assert!(!log.entries().is_empty());
    let keys = log.key_history();
    assert_eq!(keys.did(), Some(log.did()));
    assert!(log.extends(&log).is_ok());
    assert!(!log.current().nullified);
    let starts = keys.periods().iter().map(|period| period.from_micros);
    assert!(starts.is_sorted());
});
