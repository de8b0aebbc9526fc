//! The text of answers that are one line in a fixed format.

/// Implements `Display` by a format string over the listed fields.
macro_rules! display {
    ($answer:ty, $format:literal, $($field:ident),+) => {
        impl std::fmt::Display for $answer {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let Self { $($field,)+ .. } = self;
                write!(f, $format)
            }
        }
    };
}
