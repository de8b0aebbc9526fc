//! Conversions that every name has.

/// Implements the traits common to all names (`Display`, `AsRef<str>` and `TryFrom<&str>`) with
/// `as_str` and `FromStr`.
macro_rules! text_conversions {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $crate::syntax::error::SyntaxError;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    };
}

/// Implements parsing and `as_str` for a `struct Name(Box<str>)` whose rules are in `fn
/// check(&[u8]) -> Result<(), &'static str>`.
macro_rules! checked_text {
    ($name:ident, $expected:literal, $check:path) => {
        impl $name {
            /// Returns the text exactly as it was parsed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::syntax::error::SyntaxError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match $check(text.as_bytes()) {
                    Ok(()) => Ok(Self(text.into())),
                    Err(reason) => Err(Self::Err::new($expected, text, reason)),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::syntax::error::SyntaxError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                match $check(text.as_bytes()) {
                    Ok(()) => Ok(Self(text.into_boxed_str())),
                    Err(reason) => Err(Self::Error::new($expected, &text, reason)),
                }
            }
        }

        text_conversions!($name);
    };
}
