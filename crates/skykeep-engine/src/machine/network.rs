//! Whether Linux has a way out: its routing tables.

use std::fs;

use super::Network;

/// Reads the routing tables.
pub(super) fn read() -> Network {
    let (v4, v6) = (
        fs::read_to_string("/proc/net/route").ok(),
        fs::read_to_string("/proc/net/ipv6_route").ok(),
    );
    judge(v4.as_deref(), v6.as_deref())
}

/// A default route by anything but loopback: up. No route by anything but loopback: down. Only routes to a part of the
/// network, or no table to read: unknown, for the host may be in that part.
fn judge(v4: Option<&str>, v6: Option<&str>) -> Network {
    let routes: Vec<Route> = v4
        .into_iter()
        .flat_map(routes_v4)
        .chain(v6.into_iter().flat_map(routes_v6))
        .collect();
    if routes.contains(&Route::Default) {
        Network::Up
    } else if routes.is_empty() && v4.is_some() {
        Network::Down
    } else {
        Network::Unknown
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Route {
    Default,
    Part,
}

/// The route is usable, as opposed to reject routes (`RTF_UP`, `RTF_REJECT` in linux/route.h).
fn usable(flags: &str) -> bool {
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & 0x1 != 0 && flags & 0x200 == 0)
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask …`, a header line first.
fn routes_v4(table: &str) -> impl Iterator<Item = Route> {
    table.lines().skip(1).filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        match fields[..] {
            [interface, destination, _, flags, _, _, _, mask, ..] if interface != "lo" && usable(flags) => {
                Some(if destination == "00000000" && mask == "00000000" {
                    Route::Default
                } else {
                    Route::Part
                })
            }
            _ => None,
        }
    })
}

/// `destination prefix source prefix next-hop metric refcnt use flags Iface`. Link-local and multicast lead nowhere.
fn routes_v6(table: &str) -> impl Iterator<Item = Route> {
    table.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [destination, prefix, _, _, _, _, _, _, flags, interface] = fields[..] else {
            return None;
        };
        if interface == "lo" || !usable(flags) || destination.starts_with("fe80") || destination.starts_with("ff") {
            return None;
        }
        Some(if prefix == "00" { Route::Default } else { Route::Part })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
    const DEFAULT_4: &str = "wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n";
    const SUBNET_4: &str = "wlan0\t0002A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0\n";
    const REJECT_4: &str = "*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\n";
    const ZERO: &str = "00000000000000000000000000000000";

    fn v6(destination: &str, prefix: &str, flags: &str, interface: &str) -> String {
        format!("{destination} {prefix} {ZERO} 00 {ZERO} ffffffff 00000001 00000000 {flags} {interface:>8}\n")
    }

    #[test]
    fn a_way_out_is_told_by_the_routes() {
        let check = |v4: Option<&str>, v6: Option<&str>, expected: Network| {
            let v4 = v4.map(|routes| format!("{HEADER}{routes}"));
            assert_eq!(judge(v4.as_deref(), v6), expected, "{v4:?} {v6:?}");
        };
        let default_6 = v6(ZERO, "00", "00000003", "wlan0");
        let unreachable_6 = v6(ZERO, "00", "00200200", "lo");
        let loopback_6 = v6("00000000000000000000000000000001", "80", "80200001", "lo");
        let link_6 = v6("fe800000000000000000000000000000", "40", "00000001", "wlan0");
        let multicast_6 = v6("ff000000000000000000000000000000", "08", "00000001", "wlan0");
        let global_6 = v6("20010db8000000000000000000000000", "40", "00000001", "wlan0");
        let nothing_6 = [unreachable_6.as_str(), &loopback_6, &link_6, &multicast_6].concat();

        check(Some(&format!("{SUBNET_4}{DEFAULT_4}")), Some(&nothing_6), Network::Up);
        check(Some(""), Some(&format!("{nothing_6}{default_6}")), Network::Up);
        check(Some(""), Some(&nothing_6), Network::Down);
        check(Some(""), None, Network::Down);
        check(Some(REJECT_4), None, Network::Down);
        check(Some(&DEFAULT_4.replace("wlan0", "lo")), None, Network::Down);
        check(Some(SUBNET_4), Some(""), Network::Unknown);
        check(Some(""), Some(&global_6), Network::Unknown);
        check(None, None, Network::Unknown);
        check(Some("garbage\nwlan0\t00000000\n"), Some("more of it"), Network::Down);
    }
}
