//! Real servers, a proxy that lies, and kills, for the tests of the network verbs.
