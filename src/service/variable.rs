//! What a variable of its environment does to a gateway, wherever it is set.
//!
//! Pure. The rules are those of lifecycle notes B9 and E9.9.

use super::inspection::Weight;
use crate::instance::Brand;

/// Why a variable that is none of the definition's own does harm, if it does.
pub fn variable_harm(brand: Brand, variable: &str) -> Option<(Weight, &'static str)> {
    if is_secret(brand, variable) {
        return Some((
            Weight::Contract,
            "a secret does not belong there: everybody on this machine may be able to read it",
        ));
    }
    if variable == brand.var("GATEWAY_PORT") {
        return Some((Weight::Identity, "it listens on another port than its configuration says"));
    }
    if is_identity(brand, variable) {
        return Some((Weight::Identity, "it would be another gateway: other files, another profile"));
    }
    LOADER.contains(&variable).then_some((Weight::Contract, "other code is loaded into it"))
}

/// Variables with which the linkers of Linux (ld.so(8)) and macOS (dyld(1)) load other code.
const LOADER: [&str; 6] = [
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "DYLD_INSERT_LIBRARIES",
    "DYLD_LIBRARY_PATH",
    "DYLD_FRAMEWORK_PATH",
];

/// Whether it holds a secret of the gateway's.
pub fn is_secret(brand: Brand, variable: &str) -> bool {
    ["GATEWAY_TOKEN", "GATEWAY_PASSWORD"].iter().any(|name| brand.var(name) == variable)
}

/// Whether it says which gateway is meant.
pub fn is_identity(brand: Brand, variable: &str) -> bool {
    ["PROFILE", "HOME", "STATE_DIR", "CONFIG_PATH"].iter().any(|name| brand.var(name) == variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_variable_does_is_known_by_its_name() {
        let table = [
            ("FASED_GATEWAY_TOKEN", Some(Weight::Contract)),
            ("FASED_GATEWAY_PORT", Some(Weight::Identity)),
            ("FASED_PROFILE", Some(Weight::Identity)),
            ("MAYROS_PROFILE", None),
            ("DYLD_INSERT_LIBRARIES", Some(Weight::Contract)),
            ("PATH", None),
        ];
        for (name, weight) in table {
            assert_eq!(variable_harm(Brand::Fased, name).map(|(weight, _)| weight), weight, "{name}");
        }
    }
}
