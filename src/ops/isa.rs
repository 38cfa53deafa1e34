//! The instruction sets that the micro-kernels of products are written for, and the limit on them.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use crate::error::{Error, Result};

/// The environment variable that names the most capable instruction set that may be used.
const LIMIT: &str = "ALBERT_MAX_ISA";

/// Instruction sets, each including those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Isa {
    /// No micro-kernels of our own: products go through `rten-gemm`.
    Portable,
    /// AVX2 with FMA (x86-64-v3).
    Avx2,
    /// AVX-VNNI: products of bytes in 256-bit vectors.
    AvxVnni,
    /// AVX-512 and its extensions.
    Avx512,
    /// AMX; 32-bit floats are multiplied in AVX-512 or as sums of bfloat16 parts.
    Amx,
}

const ALL: [Isa; 5] = [Isa::Portable, Isa::Avx2, Isa::AvxVnni, Isa::Avx512, Isa::Amx];

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::AvxVnni => "avx-vnni",
            Self::Avx512 => "avx512",
            Self::Amx => "amx",
        })
    }
}

impl FromStr for Isa {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        let found = ALL.into_iter().find(|isa| isa.to_string() == name);
        found.ok_or_else(|| {
            let names = ALL.map(|isa| isa.to_string()).join(", ");
            format!("\"{name}\" is not an instruction set; use one of {names}")
        })
    }
}

/// The value of [`LIMIT`], if it is set.
fn limit() -> &'static std::result::Result<Option<Isa>, String> {
    static VALUE: OnceLock<std::result::Result<Option<Isa>, String>> = OnceLock::new();
    VALUE.get_or_init(|| match std::env::var_os(LIMIT) {
        Some(value) if !value.is_empty() => value.to_string_lossy().parse().map(Some),
        _ => Ok(None),
    })
}

/// Checks the environment variable `ALBERT_MAX_ISA`, which limits the instruction sets that products on a CPU use: one of
/// `portable`, `avx2`, `avx-vnni`, `avx512` and `amx`. The variable is read once. A value that this function rejects sets
/// no limit.
///
/// # Errors
/// [`Error::Variable`] if the variable names something else.
pub fn check_isa_limit() -> Result<()> {
    match limit() {
        Ok(_) => Ok(()),
        Err(problem) => Err(Error::Variable { name: LIMIT.to_owned(), problem: problem.clone() }),
    }
}

/// Returns true if `isa` is within the limit.
#[cfg(all(target_arch = "x86_64", any(feature = "flex", feature = "ndarray")))]
pub(crate) fn allows(isa: Isa) -> bool {
    limit().as_ref().ok().copied().flatten().is_none_or(|limit| isa <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_others_are_explained() {
        for isa in ALL {
            assert_eq!(isa.to_string().parse(), Ok(isa));
        }
        let problem = "avx1".parse::<Isa>().unwrap_err();
        assert!(problem.contains("\"avx1\"") && problem.contains("portable, avx2, avx-vnni, avx512, amx"));
        assert!(Isa::Portable < Isa::Avx2 && Isa::AvxVnni < Isa::Avx512);
    }
}
