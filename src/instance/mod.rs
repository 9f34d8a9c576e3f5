//! Which gateway is meant: brand + profile + where its files are.
//!
//! Words only: names and paths are computed from what is passed in. This module must not read the environment,
//! the file system or a clock, and must not know what is inside any file it names.

mod brand;
mod env;
mod paths;
mod profile;

pub use brand::Brand;
pub use env::Env;
pub use paths::{BaseDirs, Paths};
pub use profile::{Profile, ProfileError};

/// One gateway among possibly many on a machine: everything outward is derived from these three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The product name it runs under.
    pub brand: Brand,
    /// Default, dev or a named profile.
    pub profile: Profile,
    /// Its files.
    pub paths: Paths,
}

impl Instance {
    /// Computes the instance meant by a brand, a profile and an environment.
    pub fn new(brand: Brand, profile: Profile, env: &Env, dirs: &BaseDirs) -> Self {
        let paths = Paths::new(brand, &profile, env, dirs);
        Self { brand, profile, paths }
    }

    /// systemd unit name: `fased-gateway.service`, `fased-gateway-rescue.service`.
    pub fn unit_name(&self) -> String {
        paths::unit_name(self.brand, &self.profile)
    }

    /// launchd label: `ai.fased.gateway`, `ai.fased.rescue`.
    pub fn launchd_label(&self) -> String {
        format!("ai.{}.{}", self.brand.compact(), self.profile.name().unwrap_or("gateway"))
    }

    /// The command an operator types for this instance: `fased`, `fased --profile rescue`.
    pub fn command(&self) -> String {
        match &self.profile {
            Profile::Default => self.brand.slug().to_owned(),
            Profile::Dev => format!("{} --dev", self.brand.slug()),
            Profile::Named(name) => format!("{} --profile {name}", self.brand.slug()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(brand: Brand, profile: &str) -> Instance {
        let dirs = BaseDirs::under("/home/ada");
        Instance::new(brand, Profile::parse(profile).unwrap(), &Env::default(), &dirs)
    }

    /// Runbooks, "Supervision and service lifecycle".
    #[test]
    fn service_names_are_those_of_the_runbooks() {
        let table = [
            (Brand::Idlehands, "default", "idlehands-gateway.service", "ai.idlehands.gateway", "idlehands"),
            (
                Brand::SmartAgentNeo,
                "work",
                "smart-agent-neo-gateway-work.service",
                "ai.smartagentneo.work",
                "smart-agent-neo --profile work",
            ),
            (Brand::Fased, "default", "fased-gateway.service", "ai.fased.gateway", "fased"),
            (
                Brand::Mayros,
                "rescue",
                "mayros-gateway-rescue.service",
                "ai.mayros.rescue",
                "mayros --profile rescue",
            ),
            (Brand::Clawdis, "dev", "clawdis-gateway-dev.service", "ai.clawdis.dev", "clawdis --dev"),
        ];
        for (brand, profile, unit, label, command) in table {
            let instance = instance(brand, profile);
            assert_eq!(instance.unit_name(), unit);
            assert_eq!(instance.launchd_label(), label);
            assert_eq!(instance.command(), command);
        }
    }

    #[test]
    fn two_profiles_share_no_file_port_or_service_name() {
        let a = instance(Brand::Idlehands, "work");
        let b = instance(Brand::Idlehands, "rescue");
        assert_ne!(a.unit_name(), b.unit_name());
        assert_ne!(a.launchd_label(), b.launchd_label());
        assert_ne!(a.profile.default_port(), b.profile.default_port());
        assert_ne!(a.paths.state_dir, b.paths.state_dir);
        assert_ne!(a.paths.config, b.paths.config);
        assert_ne!(a.paths.unit, b.paths.unit);
        assert_ne!(a.paths.adhoc_lock, b.paths.adhoc_lock);
    }
}
