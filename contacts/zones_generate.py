#!/usr/bin/python3
"""zones_generate.py [--vectors N]

Writes contacts/zones_table.c: which time zones a telephone number may lie in,
from the zone data of Debian's python3-phonenumbers (the release that matches
libphonenumber), with corrections. Run it for a data release with Debian's own
/usr/bin/python3 and commit the result; a build needs no Python.

With --vectors N it prints N random valid numbers outside +1 with the zones that
the Python library gives them: tests/data/zones-vectors.txt.

+1 is special: an area code gets every zone of its own entry, of all longer
prefixes below it and of its overlay family. Exchanges only ever add zones:
ported and mobile numbers keep the area code but not the exchange's town.
"""
import collections
import datetime
import os
import random
import sys

import phonenumbers
from phonenumbers.geodata import GEOCODE_DATA
from phonenumbers.phonenumberutil import _GEO_MOBILE_COUNTRIES
from phonenumbers.timezone import time_zones_for_number
from phonenumbers.tzdata import TIMEZONE_DATA

HERE = os.path.dirname(os.path.abspath(__file__))
ZONEINFO = "/usr/share/zoneinfo"

# Area codes that serve the same ground, old and new: all get the union of all.
# A family that is too wide only closes hours, never opens any.
FAMILIES = [
    # United States
    "201 551", "202 771", "203 475", "205 659", "206 564", "208 986", "209 350",
    "210 726", "212 332 646", "213 323 738", "214 469 972 945", "215 267 445",
    "216 436", "217 447", "223 717", "234 330", "240 301 227", "248 947", "256 938",
    "270 364", "272 570", "274 920", "281 346 713 832 621", "303 720 983", "304 681",
    "305 786 645", "309 861", "310 424", "312 773 872", "314 557", "315 680", "317 463",
    "318 457", "321 407 689", "327 870", "329 845", "331 630", "336 743", "339 781",
    "347 718 917 929", "351 978", "357 559", "360 564", "363 516", "369 707", "380 614",
    "385 801", "402 531", "404 470 678 770 943", "405 572", "408 669", "410 443 667",
    "412 724 878", "415 628", "419 567", "425 564", "430 903", "440 436", "442 760",
    "448 850", "458 541", "464 708", "472 910", "484 610 835", "503 971", "507 924",
    "508 774", "510 341", "512 737", "513 283", "518 838", "530 837", "534 715",
    "539 918", "540 826", "561 728", "571 703", "573 235", "582 814", "601 769",
    "608 353", "609 640", "615 629", "617 857", "618 730", "619 858", "631 934",
    "657 714", "682 817", "702 725", "704 980", "706 762", "716 624", "732 848",
    "740 220", "747 818", "754 954", "757 948", "779 815", "803 839", "804 686",
    "805 820", "812 930", "813 656", "816 975", "843 854", "847 224", "860 959",
    "862 973", "864 821", "904 324", "909 840", "912 565", "916 279", "919 984",
    "937 326", "970 748",
    # Canada
    "204 431 584", "250 604 236 672 778 257", "289 905 365 742", "306 639 474",
    "343 613 753", "354 450 579", "367 418 581", "368 403 587 780 825",
    "382 519 226 548", "387 416 437 647 942", "428 506", "438 514 263", "468 819 873",
    "683 705 249", "709 879", "782 902",
]

# What the data gets wrong. Area codes: the zones of its whole family, instead of
# the data's.
REPLACE_NPA = {
    "437": ["America/Toronto"],
    "474": ["America/Edmonton", "America/Regina"],
    "709": ["America/Goose_Bay", "America/St_Johns"],
}
ADD_NPA = {
    "423": ["America/Chicago", "America/New_York"],
    "867": ["America/Iqaluit", "America/Rankin_Inlet"],
}
# Other prefixes: every entry at or below it gets these zones instead.
# They span provinces.
SEVERAL_STATES = {"867", "902", "782"}
REPLACE_PREFIX = {"212": ["Africa/Casablanca"]}

EASTERN, CENTRAL = "America/New_York", "America/Chicago"
MOUNTAIN, PACIFIC = "America/Denver", "America/Los_Angeles"
# Zones that lie in a state or province (with the names the data uses); the lint
# refuses a table in which an area code has none but zones from elsewhere.
STATE_ZONES = {
    EASTERN: "CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC TN VA VT WV",
    CENTRAL: "AL AR FL IA IL IN KS KY LA MI MN MO MS ND NE OK SD TN TX WI",
    "America/North_Dakota/Center": "ND SD",
    MOUNTAIN: "AZ CO ID KS MT ND NE NM NV OR SD TX UT WY",
    "America/Boise": "ID NV OR", "America/Phoenix": "AZ",
    PACIFIC: "CA ID NV OR WA",
    "America/Anchorage": "AK", "America/Juneau": "AK", "America/Adak": "AK",
    "Pacific/Honolulu": "HI AK",
    "America/Toronto": "ON QC NU", "America/Winnipeg": "MB ON NU",
    "America/Regina": "SK", "America/Edmonton": "AB BC SK NT NU",
    "America/Vancouver": "BC YT", "America/Fort_Nelson": "BC YT",
    "America/Whitehorse": "YT", "America/Halifax": "NS NB PE QC NL",
    "America/St_Johns": "NL", "America/Goose_Bay": "NL",
    "America/Puerto_Rico": "PR", "America/St_Thomas": "VI", "America/Iqaluit": "NU", "America/Rankin_Inlet": "NU",
}


def families():
    for line in FAMILIES:
        yield set(line.split())


def npa_raw():
    """What the data itself says of an area code and of all longer prefixes below it."""
    zones = collections.defaultdict(set)
    for prefix, names in TIMEZONE_DATA.items():
        if prefix[0] == "1" and len(prefix) >= 4 and len(names) < 30:
            zones[prefix[1:4]] |= set(names)
    return zones


def npa_unions():
    zones = npa_raw()
    for npa, names in ADD_NPA.items():
        zones[npa] |= set(names)
    changed = True
    while changed:  # families that share a code become one
        changed = False
        for codes in families():
            union = set().union(*(zones.get(c, set()) for c in codes))
            if not union:
                continue
            for c in codes:
                if zones[c] != union:
                    zones[c] = set(union)
                    changed = True
    for npa, names in REPLACE_NPA.items():
        for code in next(codes for codes in families() if npa in codes):
            zones[code] = set(names)
    return {npa: tuple(sorted(z)) for npa, z in zones.items() if z}


def prefixes():
    table = {}
    for prefix in sorted(TIMEZONE_DATA, key=len):
        if prefix[0] == "1" and prefix != "1":
            continue
        names = tuple(sorted(TIMEZONE_DATA[prefix]))
        for wrong, right in REPLACE_PREFIX.items():
            if prefix.startswith(wrong):
                names = tuple(right)
        parent = next((table[prefix[:n]] for n in range(len(prefix) - 1, 0, -1)
                       if prefix[:n] in table), None)
        if names != parent:  # a child equal to its parent says nothing
            table[prefix] = names
    return table


def npa_states():
    """Area code -> states and provinces named by at least 2 % of its exchanges."""
    found = collections.defaultdict(collections.Counter)
    for prefix, names in GEOCODE_DATA.items():
        if prefix[0] == "1" and len(prefix) > 4 and ", " in names.get("en", ""):
            found[prefix[1:4]][names["en"].rsplit(", ", 1)[1]] += 1
    return {npa: {s for s, n in c.items() if n >= 0.02 * sum(c.values()) and len(s) == 2}
            for npa, c in found.items()}


STATE_NAMES = {
    "Alabama": "AL", "Alaska": "AK", "Alberta": "AB", "Arizona": "AZ", "Arkansas": "AR",
    "British Columbia": "BC", "California": "CA", "Colorado": "CO", "Connecticut": "CT",
    "Delaware": "DE", "Florida": "FL", "Georgia": "GA", "Hawaii": "HI", "Idaho": "ID",
    "Illinois": "IL", "Indiana": "IN", "Iowa": "IA", "Kansas": "KS", "Kentucky": "KY",
    "Louisiana": "LA", "Maine": "ME", "Manitoba": "MB", "Maryland": "MD",
    "Massachusetts": "MA", "Michigan": "MI", "Minnesota": "MN", "Mississippi": "MS",
    "Missouri": "MO", "Montana": "MT", "Nebraska": "NE", "Nevada": "NV",
    "New Brunswick": "NB", "New Hampshire": "NH", "New Jersey": "NJ", "New Mexico": "NM",
    "New York": "NY", "Newfoundland and Labrador": "NL", "North Carolina": "NC",
    "North Dakota": "ND", "Ohio": "OH", "Oklahoma": "OK", "Ontario": "ON", "Oregon": "OR",
    "Pennsylvania": "PA", "Philadelphia": "PA", "Quebec": "QC", "Rhode Island": "RI",
    "Saskatchewan": "SK", "South Carolina": "SC", "South Dakota": "SD", "Tennessee": "TN",
    "Texas": "TX", "Utah": "UT", "Vermont": "VT", "Virginia": "VA", "Washington D.C.": "DC",
    "Washington State": "WA", "West Virginia": "WV", "Wisconsin": "WI", "Wyoming": "WY",
}
PROVINCES = "AB BC MB NB NL NS NT NU ON PE QC SK YT".split()


def npa_regions():
    """Area code -> "US-FL", "CA-ON"; none where it spans two of them or lies elsewhere."""
    found = {}
    for prefix, names in GEOCODE_DATA.items():
        if prefix[0] == "1" and len(prefix) == 4 and "en" in names:
            name = names["en"]
            found[prefix[1:4]] = STATE_NAMES.get(name) or (
                name.rsplit(", ", 1)[1] if ", " in name else None)
    for npa, states in npa_states().items():
        if npa not in found and len(states) == 1:
            found[npa] = next(iter(states))
    for codes in families():
        known = {found[c] for c in codes if found.get(c)}
        if len(known) == 1:
            for c in codes:
                found.setdefault(c, next(iter(known)))
    return {npa: ("CA-" if s in PROVINCES else "US-") + s for npa, s in found.items()
            if s in STATE_NAMES.values() or s in PROVINCES}


def lint_regions(regions, npas):
    bad = []
    for codes in families():
        if len({regions[c] for c in codes if c in regions}) > 1:
            bad.append("one family, different states: %s" % sorted(codes))
    for npa, states in npa_states().items():
        if npa in regions and states and regions[npa][3:] not in states:
            bad.append("%s is given to %s, its towns lie in %s" % (npa, regions[npa], states))
    for npa in npas:
        number = phonenumbers.PhoneNumber(country_code=1, national_number=int(npa) * 10**7 + 2345678)
        country = phonenumbers.region_code_for_number(number)
        if country in ("US", "CA") and npa not in regions and npa not in SEVERAL_STATES:
            bad.append("area code %s has no state" % npa)
        if npa in regions and country and regions[npa][:2] != country:
            bad.append("area code %s: %s, but %s" % (npa, regions[npa], country))
    return bad


def lint(npas, table):
    bad = lint_regions(npa_regions(), npas)
    for names in set(npas.values()) | set(table.values()):
        for name in names:
            if not os.path.isfile(os.path.join(ZONEINFO, name)):
                bad.append("%s is not in tzdata" % name)
    for codes in families():
        if len({npas[c] for c in codes if c in npas}) > 1:
            bad.append("one family, different zones: %s" %
                       {c: npas.get(c) for c in sorted(codes)})
    for npa, states in npa_states().items():
        allowed = {z for z, s in STATE_ZONES.items() if states & set(s.split())}
        if states and npa in npas and not set(npas[npa]) <= allowed:
            # A wider family may bring a neighbour's zone; one of its own must be there.
            if not set(npas[npa]) & allowed:
                bad.append("%s lies in %s, not in %s" % (npa, states, npas[npa]))
            elif not any(npa in codes for codes in families()) and npa not in ADD_NPA:
                bad.append("%s lies in %s, hardly in %s" % (npa, states, npas[npa]))
    for npa in range(200, 1000):
        number = phonenumbers.PhoneNumber(country_code=1, national_number=npa * 10**7 + 2345678)
        if (phonenumbers.region_code_for_number(number) and str(npa) not in npas
                and time_zones_for_number(number) != tuple(TIMEZONE_DATA["1"])):
            bad.append("area code %d has no zones" % npa)
    return bad


def two_digit_codes():
    return sorted(c for c in phonenumbers.COUNTRY_CODE_TO_REGION_CODE if 10 <= c <= 99)


def c_lines(items, width=88):
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > width:
            lines.append(line)
            line = "   "
        line += " " + item + ","
    return "\n".join(lines + [line])


def write(npas, table, out):
    raw = {npa: tuple(sorted(z)) for npa, z in npa_raw().items()}
    regions = npa_regions()
    sets = sorted(set(npas.values()) | set(table.values()) | set(raw.values()) | {()})
    number = {s: i for i, s in enumerate(sets)}
    flat, firsts = [], []
    for s in sets:
        firsts.append(len(flat))
        flat.extend(s)
    keys = sorted(table, key=lambda p: (len(p), p))
    starts = [sum(len(k) < n for k in keys) for n in range(1, 10)]
    today = datetime.date.today()
    out.write("""/* Generated by contacts/zones_generate.py from python3-phonenumbers %s on %s;
 * the data is under the Apache License 2.0. Do not edit. */
#include "contacts/zones_table.h"

const int zones_table_date[3] = {%d, %d, %d};

""" % (phonenumbers.__version__, today, today.year, today.month, today.day))
    out.write("static const char *const names[] = {\n%s\n};\n\n" %
              c_lines('"%s"' % n for n in flat))
    out.write("const struct zone_set zones_table_sets[] = {\n%s\n};\n\n" %
              c_lines("{%d, names + %d}" % (len(s), first) for s, first in zip(sets, firsts)))
    out.write("/* By length, then by value. */\nconst struct zones_prefix zones_table_prefixes[] = {\n%s\n};\n\n" %
              c_lines("{%s, %d}" % (k, number[table[k]]) for k in keys))
    out.write("const int zones_table_starts[ZONES_PREFIX_DIGITS + 1] = {%s};\n\n" %
              ", ".join(map(str, starts)))
    out.write("const struct zones_prefix zones_table_npas[] = {\n%s\n};\n\nconst int zones_table_npa_count = %d;\n\n" %
              (c_lines("{%s, %d}" % (k, number[npas[k]]) for k in sorted(npas)), len(npas)))
    out.write("/* The sets of the same area codes without families and corrections. */\n"
              "const uint16_t zones_table_npas_raw[] = {\n%s\n};\n\n" %
              c_lines(str(number[raw.get(k, ())]) for k in sorted(npas)))
    out.write("/* And the state or province; \"\" where there is none or are several. */\n"
              "const char zones_table_npa_regions[][6] = {\n%s\n};\n\n" %
              c_lines('"%s"' % regions.get(k, "") for k in sorted(npas)))
    out.write("const unsigned char zones_table_two_digit_codes[] = {\n%s\n    0};\n\n" %
              c_lines(str(c) for c in two_digit_codes()))
    out.write("const unsigned char zones_table_geographic_mobiles[] = {\n%s\n    0};\n\n" %
              c_lines(str(c) for c in sorted(_GEO_MOBILE_COUNTRIES)))
    group = [" ".join(sorted(codes)) for codes in families()]
    out.write("/* Overlay families, for the lint. */\nconst char *const zones_table_families[] = {\n%s\n    0,\n};\n" %
              c_lines('"%s"' % g for g in sorted(group)))


def vectors(count):
    rng = random.Random(20261124)
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    types = [phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE,
             phonenumbers.PhoneNumberType.TOLL_FREE, phonenumbers.PhoneNumberType.VOIP]
    done = set()
    while len(done) < count:
        example = phonenumbers.example_number_for_type(rng.choice(regions), rng.choice(types))
        if not example or example.country_code in (1, 212):
            continue
        text = phonenumbers.national_significant_number(example)
        keep = rng.randint(0, 4)
        text = text[:keep] + "".join(rng.choice("0123456789") for _ in text[keep:])
        full = "+%d%s" % (example.country_code, text)
        try:
            number = phonenumbers.parse(full)
        except phonenumbers.NumberParseException:
            continue
        full = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        if phonenumbers.is_valid_number(number) and full not in done:
            done.add(full)
            print(full[1:], phonenumbers.number_type(number),
                  ",".join(sorted(time_zones_for_number(number))))


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--vectors":
        return vectors(int(sys.argv[2]))
    npas, table = npa_unions(), prefixes()
    bad = lint(npas, table)
    if bad:
        sys.exit("zones_generate: " + "\n  ".join(bad))
    with open(os.path.join(HERE, "zones_table.c"), "w") as out:
        write(npas, table, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
