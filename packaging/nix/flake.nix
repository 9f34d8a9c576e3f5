# nix build '.?dir=packaging/nix', and a NixOS module: services.idlehands-gateway.enable = true.
{
  description = "An always-on gateway daemon, and the service manager around it";
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "aarch64-darwin" ];
      forEach = nixpkgs.lib.genAttrs systems;
    in
    {
      packages = forEach (system: {
        default = nixpkgs.legacyPackages.${system}.callPackage ./package.nix { };
      });
      nixosModules.default = import ./module.nix self;
    };
}
