# A NixOS module. The units are the package's own; this only switches them on.
self:
{ config, lib, pkgs, ... }:

let
  cfg = config.services.idlehands-gateway;
in
{
  options.services.idlehands-gateway = {
    enable = lib.mkEnableOption "the idlehands gateway as a system service";
    package = lib.mkOption {
      type = lib.types.package;
      default = self.packages.${pkgs.stdenv.hostPlatform.system}.default;
      defaultText = lib.literalExpression "the package of this flake";
      description = "The package that has the program and the units.";
    };
    users = lib.mkEnableOption "the gateway for every user, as a user service";
  };

  config = lib.mkMerge [
    (lib.mkIf (cfg.enable || cfg.users) {
      environment.systemPackages = [ cfg.package ];
      systemd.packages = [ cfg.package ];
    })
    # NixOS reads no [Install] section: what starts a unit is said here.
    (lib.mkIf cfg.enable { systemd.services.idlehands-gateway.wantedBy = [ "multi-user.target" ]; })
    (lib.mkIf cfg.users { systemd.user.services.idlehands-gateway.wantedBy = [ "default.target" ]; })
  ];
}
