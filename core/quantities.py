"""The quantity registry: decoder keys, range checks, field names, units, axes and docs all come from here.

Units are UCUM codes. The measurement (InfluxDB) is the text before the dot, the field the text after it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One observable: name, UCUM unit, symbol, physical range [unit], decimals to show, CF cell_methods, labels."""

    name: str
    unit: str
    symbol: str
    low: float
    high: float
    decimals: int
    cell_methods: str = "time: point"
    vi: str
    en: str

    @property
    def measurement(self) -> str:
        """The domain: `water`, `soil`, `air` or `device`."""
        return self.name.split(".", 1)[0]

    @property
    def field(self) -> str:
        """The name inside its measurement, e.g. `ec`."""
        return self.name.split(".", 1)[1]


def _q(name: str, unit: str, symbol: str, span: tuple[float, float], decimals: int, vi: str, en: str, cell_methods: str = "time: point") -> Quantity:
    return Quantity(name=name, unit=unit, symbol=symbol, low=span[0], high=span[1], decimals=decimals, vi=vi, en=en, cell_methods=cell_methods)


# Physical range = what the thing itself can be here: outside it the value is stored with flag 4 (fail).
_ALL = (
    _q("water.ec", "mS/cm", "EC25", (0.0, 60.0), 2, "Độ dẫn điện nước (25 °C)", "Water conductivity at 25 °C"),
    _q("water.ec_raw", "mS/cm", "EC", (0.0, 75.0), 2, "Độ dẫn điện nước (chưa bù nhiệt)", "Water conductivity at water temperature"),
    _q("water.salinity", "g/L", "S", (0.0, 42.0), 1, "Độ mặn", "Salinity"),
    _q("water.chloride", "mg/L", "Cl", (0.0, 23000.0), 0, "Clorua", "Chloride"),
    _q("water.temperature", "Cel", "Tw", (0.0, 50.0), 1, "Nhiệt độ nước", "Water temperature"),
    _q("water.level", "m", "h", (-20.0, 20.0), 2, "Mực nước", "Water level above the station's datum"),
    # below 0 where the flood tide runs in; wide enough for the whole Mekong in flood
    _q("water.discharge", "m3/s", "Q", (-50_000.0, 150_000.0), 1, "Lưu lượng nước", "Discharge, downstream positive"),
    _q("water.gate_opening", "1", "Go", (0.0, 1.0), 2, "Độ mở cống", "Open share of a sluice"),
    _q("water.ph", "[pH]", "pH", (0.0, 14.0), 1, "pH nước", "Water pH"),
    _q("water.turbidity", "{NTU}", "Tu", (0.0, 4000.0), 0, "Độ đục", "Turbidity"),
    _q("water.oxygen", "mg/L", "DO", (0.0, 25.0), 1, "Oxy hòa tan", "Dissolved oxygen"),
    _q("soil.ec_bulk", "dS/m", "σb", (0.0, 23.0), 2, "Độ dẫn điện đất (khối)", "Soil bulk conductivity"),
    _q("soil.ec_pore", "dS/m", "σp", (0.0, 75.0), 2, "Độ dẫn điện nước trong đất", "Soil pore-water conductivity"),
    _q("soil.ec_e", "dS/m", "ECe", (0.0, 75.0), 2, "Độ dẫn điện trích bão hòa", "Soil saturation-extract conductivity"),
    _q("soil.moisture", "m3/m3", "θ", (0.0, 1.0), 2, "Độ ẩm đất", "Volumetric soil water content"),
    _q("soil.temperature", "Cel", "Ts", (-5.0, 65.0), 1, "Nhiệt độ đất", "Soil temperature"),
    _q("soil.permittivity", "1", "εb", (1.0, 85.0), 1, "Hằng số điện môi đất", "Soil bulk permittivity"),
    _q("soil.ph", "[pH]", "pH", (0.0, 14.0), 1, "pH đất", "Soil pH"),
    _q("air.temperature", "Cel", "Ta", (-10.0, 55.0), 1, "Nhiệt độ không khí", "Air temperature"),
    _q("air.humidity", "%", "RH", (0.0, 100.0), 0, "Độ ẩm không khí", "Relative humidity"),
    _q("air.rain", "mm", "P", (0.0, 300.0), 1, "Mưa", "Rain in the interval", "time: sum"),
    _q("air.wind_speed", "m/s", "U", (0.0, 75.0), 1, "Tốc độ gió", "Wind speed"),
    _q("air.wind_direction", "deg", "Ud", (0.0, 360.0), 0, "Hướng gió", "Wind direction, where it comes from"),
    _q("air.pressure", "hPa", "p", (850.0, 1100.0), 0, "Khí áp", "Air pressure"),
    _q("device.battery", "V", "Ub", (0.0, 60.0), 2, "Điện áp pin", "Battery voltage"),
    # UCUM has no decibel-milliwatt; dBm is what every radio prints
    _q("device.rssi", "dBm", "RSSI", (-200.0, 50.0), 0, "Cường độ sóng", "Received signal strength"),
    _q("device.snr", "dB", "SNR", (-50.0, 80.0), 1, "Tỉ số tín hiệu trên nhiễu", "Signal-to-noise ratio"),
)

QUANTITIES: dict[str, Quantity] = {q.name: q for q in _ALL}

# Column and key names others use for a quantity, with the factor to our unit (value × factor = ours).
ALIASES: dict[str, tuple[str, float]] = {
    "salinity_g_L": ("water.salinity", 1.0),
    "salinity_g_l": ("water.salinity", 1.0),
    "water_salinity_g_L": ("water.salinity", 1.0),
    "ec_mS_cm": ("water.ec", 1.0),
    "ec_dS_m": ("water.ec", 1.0),
    "ec_uS_cm": ("water.ec", 0.001),
    "ec_S_m": ("water.ec", 10.0),
    "ec_mS_m": ("water.ec", 0.01),
    "chloride_mg_L": ("water.chloride", 1.0),
    "level_m": ("water.level", 1.0),
    "level_cm": ("water.level", 0.01),
    "water_temperature_C": ("water.temperature", 1.0),
    "discharge_m3_s": ("water.discharge", 1.0),
    "discharge_cms": ("water.discharge", 1.0),
    "discharge_cfs": ("water.discharge", 0.028316846592),
    "gate_open": ("water.gate_opening", 1.0),
    "gate_open_percent": ("water.gate_opening", 0.01),
    "rain_mm": ("air.rain", 1.0),
    "wind_m_s": ("air.wind_speed", 1.0),
    "wind_speed_m_s": ("air.wind_speed", 1.0),
    "wind_direction_deg": ("air.wind_direction", 1.0),
    "air_temperature_C": ("air.temperature", 1.0),
    "ec_pore_dS_m": ("soil.ec_pore", 1.0),
    "ec_bulk_dS_m": ("soil.ec_bulk", 1.0),
    "ec_e_dS_m": ("soil.ec_e", 1.0),
}
