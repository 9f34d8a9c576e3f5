//! Which gateway is meant: brand + profile + whose it is + where its files are.
//!
//! Words only: names and paths are computed from what is passed in. This module must not read the environment,
//! the file system or a clock, and must not know what is inside any file it names.

mod brand;
mod env;
mod paths;
mod profile;
mod scope;

pub use brand::Brand;
pub use env::Env;
pub use paths::{BaseDirs, Paths};
pub use profile::{Profile, ProfileError};
pub use scope::{Scope, SystemDirs};

/// One gateway among possibly many on a machine: everything outward is derived from these three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The product name it runs under.
    pub brand: Brand,
    /// Default, dev or a named profile.
    pub profile: Profile,
    /// Whether it is one user's or the machine's.
    pub scope: Scope,
    /// Its files.
    pub paths: Paths,
}

impl Instance {
    /// Computes this user's instance meant by a brand, a profile and an environment.
    pub fn new(brand: Brand, profile: Profile, env: &Env, dirs: &BaseDirs) -> Self {
        let paths = Paths::new(brand, &profile, env, dirs);
        Self { brand, profile, scope: Scope::User, paths }
    }

    /// Computes the machine's instance meant by a brand and a profile. Its files are where its service manager makes
    /// them: no environment moves them.
    pub fn of_system(brand: Brand, profile: Profile, dirs: &BaseDirs) -> Self {
        let paths = Paths::of_system(brand, &profile, dirs);
        Self { brand, profile, scope: Scope::System, paths }
    }

    /// The same brand and profile in the other scope.
    pub fn in_other_scope(&self, env: &Env, dirs: &BaseDirs) -> Self {
        let (brand, profile) = (self.brand, self.profile.clone());
        match self.scope {
            Scope::User => Self::of_system(brand, profile, dirs),
            Scope::System => Self::new(brand, profile, env, dirs),
        }
    }

    /// systemd unit name: `fased-gateway.service`, `fased-gateway-rescue.service`.
    pub fn unit_name(&self) -> String {
        paths::unit_name(self.brand, &self.profile)
    }

    /// The name of everything that a service manager keeps for it: `fased-gateway`, `fased-gateway-rescue`.
    pub fn service_name(&self) -> String {
        paths::service_name(self.brand, &self.profile)
    }

    /// launchd label: `ai.fased.gateway`, `ai.fased.rescue`.
    pub fn launchd_label(&self) -> String {
        format!("ai.{}.{}", self.brand.compact(), self.profile.name().unwrap_or("gateway"))
    }

    /// The command an operator types for this instance: `fased`, `fased --profile rescue`, `fased --system`.
    pub fn command(&self) -> String {
        let scope = if self.scope == Scope::System { " --system" } else { "" };
        let slug = self.brand.slug();
        match &self.profile {
            Profile::Default => format!("{slug}{scope}"),
            Profile::Dev => format!("{slug}{scope} --dev"),
            Profile::Named(name) => format!("{slug}{scope} --profile {name}"),
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
