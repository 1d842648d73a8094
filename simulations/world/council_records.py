"""Rows of suppliers as the finance system of a council, or a licensing body, writes them, with their noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blindmatch.simulations.scenario.noise_kinds import NoiseKind
from blindmatch.simulations.world.noise import wrong_digit
from blindmatch.simulations.world.population import Company, Person, Population
from blindmatch.simulations.world.rng import SeededRandom

LISTED_TWICE = 0.02
"""Share of suppliers with two rows: two departments, two references."""

SOLE_TRADER = 0.06
"""Share of suppliers that are not companies."""


@dataclass(frozen=True, slots=True)
class Supplier:
    """One row of a list of suppliers; `company` is the true number, or empty."""

    reference: str
    company: str
    name: str
    company_number: str
    vat_number: str
    postcode: str
    contract_reference: str
    contract_value: int
    noise: frozenset[NoiseKind]


class SupplierWriter:
    """Writes suppliers' rows with the scenario's rates of noise."""

    def __init__(
        self,
        rng: SeededRandom,
        town: Population,
        traders: Sequence[Person],
        rates: Mapping[NoiseKind, float],
        prefix: str,
    ) -> None:
        self._rng = rng
        self._town = town
        self._traders = traders
        self._rates = rates
        self._prefix = prefix

    def rows(self, companies: Sequence[Company], sole_traders: int) -> tuple[Supplier, ...]:
        """The whole list in random order: every company once or twice, and sole traders."""
        rng = self._rng
        entries: list[Company | None] = [*companies]
        entries += [company for company in companies if rng.chance(LISTED_TWICE)]
        entries += [None] * sole_traders
        entries = rng.sample(entries, len(entries))
        return tuple(self.row(100_000 + 3 * place, company) for place, company in enumerate(entries))

    def row(self, serial: int, company: Company | None) -> Supplier:
        """One row. The reference is built from `serial`."""
        rng = self._rng
        noise: set[NoiseKind] = set()
        number, vat, code = "", "", rng.pick(self._town.postcodes)
        if company is None:
            trader = rng.pick(self._traders)
            name = f"{trader.forename[0]} {trader.surname} Services"
        else:
            name = company.name.upper() if rng.chance(0.3) else company.name
            number = company.number
            vat = company.vat if rng.chance(0.75) else ""
            code = company.postcode
            if rng.chance(self._rates.get(NoiseKind.SUPPLIER_UNNUMBERED, 0.0)):
                noise.add(NoiseKind.SUPPLIER_UNNUMBERED)
                number = ""
            elif rng.chance(self._rates.get(NoiseKind.SUPPLIER_MISNUMBERED, 0.0)):
                noise.add(NoiseKind.SUPPLIER_MISNUMBERED)
                number = wrong_digit(rng, number)
            elif number.startswith("0") and rng.chance(0.1):
                number = number.lstrip("0")  # a spreadsheet read it as a quantity
        return Supplier(
            reference=f"{self._prefix}V{serial}",
            company="" if company is None else company.number,
            name=name,
            company_number=number,
            vat_number=vat,
            postcode=code,
            contract_reference=f"{self._prefix}C{serial + 400_000}",
            contract_value=round(10 ** (3 + 3 * rng.unit())),
            noise=frozenset(noise),
        )
