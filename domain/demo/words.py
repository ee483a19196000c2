"""What names, titles and texts of a demo are made of."""

from models.activities import ActivityDirection, ActivityKind
from models.campaigns import CampaignKind
from models.catalog import SourceKind
from models.custom_fields import CustomFieldType
from models.follow_ups import FollowUpKind
from models.needs import NeedKind

CALL, EMAIL, MEETING, NOTE = ActivityKind.CALL, ActivityKind.EMAIL, ActivityKind.MEETING, ActivityKind.NOTE
IN, OUT = ActivityDirection.INBOUND, ActivityDirection.OUTBOUND


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES = _words(
    """
    Ada Adam Agnes Aisha Alan Alba Alice Amara Amir Ana Andrea Anna Anton Arthur Astrid Aurora Ben Bianca Boris Bruno
    Carla Carmen Cem Chiara Chloe Clara Claude Dana Daniel Daria David Deniz Diego Dora Elena Elias Elif Ella Emil
    Emma Enzo Erik Esther Eva Fatima Felix Fiona Florian Frida Gabriel Gemma Georg Greta Hana Hannah Harald Hassan
    Helen Henrik Hugo Ida Ilse Ines Irina Isaac Ivan Jakob Jan Jana Jasmin Joan Johan Jonas Jose Julia Kai Karim
    Katja Kira Klara Lars Laura Lea Leon Lena Lina Linus Lotte Luca Lucia Ludwig Luis Magda Maja Marc Maria Marta
    Mateo Max Maya Mia Milan Mira Nadia Naomi Nils Nina Noah Nora Olga Oliver Omar Oskar Pablo Paula Pedro Petra Philip
    Rahel Ravi Renata Rita Robert Rosa Ruth Samir Samuel Sara Silvia Simon Sofia Stella Sven Tamara Tara Theo Thomas
    Tilda Tim Uma Vera Victor Vincent Wanda Werner Yara Yasmin Yusuf Zoe
    """
)
LAST_NAMES = _words(
    """
    Abel Adler Ahmed Albrecht Almeida Andersson Arslan Bauer Becker Bennett Berg Bernard Bianchi Blanc Boateng Bosch
    Brandt Brooks Castro Chen Clarke Costa Cruz Dahl Demir Diaz Dubois Eriksen Evans Falk Fernandez Fischer Fontaine
    Foster Frank Fuchs Garcia Gerber Girard Gomez Graf Gruber Haas Hansen Hartmann Hayes Herrmann Hoffmann Horvat
    Hughes Ibrahim Jansen Jensen Kaiser Kaplan Keller Khan Klein Koch Kovacs Kowalski Kramer Lang Larsen Lefevre
    Lehmann Lindberg Lopez Lorenz Maier Marino Martin Mayer Meier Mendes Meyer Moreau Moreno Morgan Moser Mueller
    Nagy Neumann Nielsen Novak Nowak Okafor Olsen Ortega Patel Pereira Petit Pfeiffer Popescu Reuter Ricci Richter
    Rossi Roth Ruiz Santos Sato Schmid Schneider Schubert Schulz Silva Simon Singh Smith Sommer Stein Svensson Tanaka
    Taylor Thomsen Torres Vogel Voss Wagner Walker Weber Weiss Werner Winter Wolf Wright Yilmaz Young Zimmermann
    """
)
COMPANY_STARTS = _words(
    """
    Alder Alpen Amber Arbor Argent Ash Atlas Aurora Baltic Beacon Birch Blue Bright Brook Cedar Cinder Clear Cobalt
    Copper Coral Crest Crown Dawn Delta Dune East Elm Ember Fair Falcon Fern Field Fjord Flint Forge Fox Frost Gold
    Granite Green Grove Harbor Hazel Heather Heron High Hill Horizon Iron Ivory Jade Juniper Kestrel King Lake Lark
    Laurel Lime Linden Lunar Lynx Maple Marble Marsh Mead Mill Moor Moss North Nova Oak Ocean Olive Opal Orchard Otter
    Pearl Pine Polar Poplar Quarry Quartz Raven Red Reed Ridge River Rock Rose Rowan Sable Saffron Sage Sand Silver
    Sky Slate Snow Solar South Spring Spruce Star Steel Stone Storm Summit Sun Swift Terra Thistle Thorn Timber
    True Tulip Valley Vista West White Wild Willow Wind Winter Wren Yew Zenith
    """
)
COMPANY_ENDS = _words(
    """
    bank bay beck berg borough bourne bridge brook burn bury by castle cliff combe crest croft dale den don fall feld
    field firth fold ford gate glen grove hall ham haven heim hill holm hurst keep land ley loch lock mark mead mere
    mill mont moor mount ness park point pool port reach ridge rock shaw shore side stead stone stow stream strand
    thorpe ton vale view ville wald ward water way well wick wold wood worth yard
    """
)
# industry: what such companies call themselves
INDUSTRIES = {
    "manufacturing": ("Werke", "Manufacturing", "Components", "Tools", "Industries"),
    "retail": ("Stores", "Retail", "Markets", "Home", "Outfitters"),
    "hospitality": ("Hotels", "Resorts", "Kitchens", "Catering"),
    "logistics": ("Logistics", "Freight", "Shipping", "Storage"),
    "health care": ("Clinics", "Care", "Health", "Medical"),
    "real estate": ("Estates", "Properties", "Housing", "Living"),
    "food": ("Foods", "Bakery", "Dairy", "Brewing", "Farms"),
    "education": ("Schools", "Academy", "Institute", "Learning"),
    "software": ("Software", "Systems", "Digital", "Labs"),
    "construction": ("Construction", "Builders", "Timber", "Concrete"),
    "energy": ("Energy", "Power", "Utilities", "Grid"),
    "public sector": ("Council", "Works", "Services", "Transit"),
}
# country: (weight, currency, cities, legal form, fictitious phone numbers)
COUNTRIES = {
    "DE": (30, "EUR", ("Berlin", "Hamburg", "Munich", "Cologne", "Leipzig", "Stuttgart"), "GmbH", "+493023125{:03d}"),
    "AT": (7, "EUR", ("Vienna", "Graz", "Linz", "Salzburg"), "GmbH", "+431209021{:03d}"),
    "CH": (9, "CHF", ("Zurich", "Basel", "Bern", "Geneva"), "AG", "+41446681{:03d}"),
    "FR": (12, "EUR", ("Paris", "Lyon", "Nantes", "Lille"), "SAS", "+331990041{:02d}"),
    "NL": (9, "EUR", ("Amsterdam", "Rotterdam", "Utrecht", "Eindhoven"), "BV", "+31208001{:03d}"),
    "GB": (12, "GBP", ("London", "Leeds", "Bristol", "Glasgow"), "Ltd", "+442079460{:03d}"),
    "US": (10, "USD", ("Boston", "Denver", "Austin", "Seattle"), "Inc.", "+12125550{:03d}"),
    "PL": (6, "PLN", ("Warsaw", "Poznan", "Wroclaw", "Gdansk"), "Sp. z o.o.", "+48225550{:03d}"),
    "SE": (5, "SEK", ("Stockholm", "Gothenburg", "Malmo", "Uppsala"), "AB", "+46850550{:03d}"),
}
# currency: what one is worth in euros, about
RATES = {"CHF": "1.04", "GBP": "1.17", "USD": "0.92", "PLN": "0.23", "SEK": "0.088"}

OFFICES = ("Central", "North", "West", "Overseas", "Key accounts")
CREWS = ("Red", "Blue", "Green")
JOB_TITLES = (
    "Managing director",
    "Head of facilities",
    "Plant manager",
    "Purchasing manager",
    "Chief financial officer",
    "Sustainability officer",
    "Operations manager",
    "Energy manager",
    "Project lead",
    "Office manager",
)
# name, family, price in euros, how often it is asked for
PRODUCTS = (
    ("Rooftop array 30", "Solar", 28_500, 14),
    ("Rooftop array 100", "Solar", 88_000, 9),
    ("Carport array", "Solar", 46_000, 6),
    ("Battery cabinet 50", "Storage", 34_000, 10),
    ("Battery container", "Storage", 210_000, 3),
    ("Wall charger", "Charging", 1_450, 18),
    ("Fast charger 150", "Charging", 39_900, 8),
    ("Charging park", "Charging", 168_000, 2),
    ("Heat pump 40", "Heating", 31_200, 12),
    ("Heat pump 120", "Heating", 74_500, 6),
    ("Energy monitor", "Software", 2_400, 15),
    ("Service plan", "Service", 4_800, 11),
)
TITLES = (
    "{product} for {company}",
    "{company}: {product}",
    "{product}, {city}",
    "{company}: {product} and service",
    "{product} for the site in {city}",
)
PRIVATE_TITLES = ("{product} for family {name}", "{product}, house in {city}", "{name}: {product}")
DESCRIPTIONS = (
    "Asked for a visit before the summer.",
    "Wants to cut the energy bill of the main building.",
    "Compares three suppliers; the board decides.",
    "Has a grant that ends with the year.",
    "Roof was surveyed last year; drawings are available.",
    "Existing contract runs out soon.",
    "Referred by a neighbouring company.",
    "Wants everything from one supplier.",
)
NEEDS = (
    (NeedKind.PAIN, "Energy costs are too high", "Own generation covers two thirds of the demand."),
    (NeedKind.PAIN, "Has to report emissions", "The monitor exports the yearly report."),
    (NeedKind.PAIN, "Power cuts stop production", "The battery bridges four hours."),
    (NeedKind.PAIN, "Old heating breaks down often", "Replacement within one week, service included."),
    (NeedKind.WISH, "Charging for the fleet", "Load management without a new grid connection."),
    (NeedKind.WISH, "Needs financing", "Leasing over seven years."),
    (NeedKind.PAIN, "Has no time for permits", "We apply for them."),
    (NeedKind.WISH, "Wants one contact for everything", "The account manager stays the same."),
)
# Its kind and direction, its subject, text and outcome, and between how many minutes it took.
TALKS: tuple[
    tuple[ActivityKind, ActivityDirection | None, str | None, str | None, str | None, tuple[int, int] | None], ...
] = (
    (CALL, OUT, "First call", "Asked what is to be solved, and by when.", "Reached", (3, 25)),
    (CALL, OUT, "Call about the offer", None, "Nobody answered", None),
    (CALL, IN, "Call back", "They want to see a reference nearby.", "Reached", (2, 20)),
    (EMAIL, OUT, "Brochure and references", "Sent what we built for others of their size.", None, None),
    (EMAIL, OUT, "Our offer", "Sent the offer as agreed; valid for six weeks.", None, None),
    (EMAIL, IN, "Question about delivery", "How long from the order to the first day of use?", None, None),
    (MEETING, OUT, "Visit on site", "Walked through the building with their technician.", "Survey agreed", (45, 120)),
    (MEETING, IN, "Video call", "Went through the offer line by line.", "Wants changes", (20, 60)),
    (NOTE, None, "When to call", "Best reached before ten.", None, None),
    (NOTE, None, None, "The board meets on the first Monday of the month.", None, None),
)
# Fields that the demo's workspace adds to leads: key, label, type, and what there is to choose from.
CUSTOM_FIELDS: tuple[tuple[str, str, CustomFieldType, tuple[tuple[str, str], ...]], ...] = (
    ("site_area", "Area of the site (m²)", CustomFieldType.NUMBER, ()),
    ("financing", "Financing", CustomFieldType.CHOICE, (("own", "Own funds"), ("lease", "Leasing"), ("loan", "Loan"))),
    ("permit_needed", "Needs a permit", CustomFieldType.YES_NO, ()),
)
COMPETITORS = (
    ("Helioworks", "Cheap hardware", "Slow service"),
    ("Nordlicht Technik", "Strong in the north", "Long delivery times"),
    ("Voltaire Energie", "Offers leasing", "No visits on site"),
    ("GreenRoof Group", "Known by everybody", "Subcontractors do the work"),
)
# What campaigns are called, of what kind and source they are, in which months they begin, for how long, at what cost.
CAMPAIGNS: tuple[tuple[str, CampaignKind, SourceKind, tuple[int, ...], int, str], ...] = (
    ("Newsletter on subsidies", CampaignKind.EMAIL, SourceKind.CAMPAIGN, (1, 4, 7, 10), 7, "800"),
    ("Webinar on heat pumps", CampaignKind.WEBINAR, SourceKind.CAMPAIGN, (2, 5, 8, 11), 1, "1500"),
    ("Letters to housing associations", CampaignKind.DIRECT_MAIL, SourceKind.CAMPAIGN, (3, 6, 9, 12), 14, "2600"),
    ("Stand at the energy fair", CampaignKind.TRADE_SHOW, SourceKind.TRADE_SHOW, (3, 9), 4, "18000"),
    ("Advertisements on social media", CampaignKind.SOCIAL, SourceKind.SOCIAL, (1, 4, 7, 10), 60, "4000"),
)
# What is to be done next, and what it came to.
TO_DOS: tuple[tuple[FollowUpKind, str], ...] = (
    (FollowUpKind.CALL, "Ask what the board decided"),
    (FollowUpKind.EMAIL, "Send references of their size"),
    (FollowUpKind.MEETING, "Visit on site"),
    (FollowUpKind.TODO, "Work out financing"),
    (FollowUpKind.CALL, "Ask whether the offer arrived"),
)
# The days after a sale on which it is done.
AFTER_SALE: tuple[tuple[FollowUpKind, str, int], ...] = (
    (FollowUpKind.EMAIL, "Say thank you", 2),
    (FollowUpKind.CALL, "Does everything work?", 14),
    (FollowUpKind.MEETING, "Talk of what comes next", 180),
)
OUTCOMES = ("Done as planned.", "They are happy.", "Call again in the autumn.", "Sent by mail instead.")
COMMENTS = (
    "Please talk to me before you call them.",
    "They know our technician from the last project.",
    "Discount is agreed with the manager.",
    "Do not forget the grant: the deadline is near.",
    "I met their director at the fair.",
)
PRAISE = ("Everything on time.", "Friendly people, good work.", "Would do it again.", "The team was great.")
COMPLAINTS = ("Nobody called back.", "Took twice as long as promised.", "The bill was higher than the offer.")
NOTES = (
    "Decided faster than expected.",
    "Price was met halfway.",
    "Will look at it again next year.",
    "Another supplier was already chosen.",
    "Could not be reached any more.",
    "Very satisfied with the visit.",
)
TAGS = (
    ("Urgent", "#d92d20"),
    ("Grant", "#039855"),
    ("Key account", "#7f56d9"),
    ("Second site", "#1570ef"),
    ("Tender", "#dc6803"),
    ("Partner", "#0e9384"),
    ("Renewal", "#475467"),
    ("Pilot", "#c11574"),
)
