"""Data for `season`: parts of names, relations in twelve wordings each, unanswerable topics."""


def lines(text: str) -> list[str]:
    """The lines of an indented block."""
    return [line.strip() for line in text.strip().splitlines()]


def _words(text: str) -> list[str]:
    return text.split()


# fmt: off
OPENINGS = _words("b br d dr f g gr h j k kr l m n p qu r s sh t tr v w z")
MIDDLES = _words("a e i o u ae ai ee oo ar en il on ur")
ENDINGS = _words("bba ck dan del fin goth kka ll mas mir nax nn ppo ra ros ssk th tine va vex x zar")
COLOURS = _words("Amber Black Copper Crimson Emerald Golden Ivory Scarlet Silver Violet")
BEASTS = _words("Arrow Comet Falcon Hammer Hornet Lance Raven Spider Tempest Viper")
RANKS = _words(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth"
)
KINDS = [
    "Challenge", "Circuit", "Classic", "Cup", "Derby", "Grand Prix", "Invitational", "Marathon", "Open", "Rally",
    "Sprint", "Trophy", "Trial",
]
WEATHERS = [
    "fog", "hail", "clear skies", "a sandstorm", "heavy rain", "strong wind", "thunder", "snow", "drizzle",
    "a heatwave", "dust", "sleet", "ice",
]
DEEDS = [
    "lost a thruster", "drafted behind a rival", "braked too late", "took a shortcut", "rolled over twice",
    "made a perfect start", "ran out of fuel", "clipped a wing", "set the fastest lap", "went off the course",
    "harvested lightning", "repaired a coolant leak", "was struck by lightning", "flew upside down", "lost a mirror",
    "collided with a marshal", "changed a fuse", "stalled the engine",
]
WHERE = [
    "in the canyon", "at the hairpin", "over the dunes", "near the waterfall", "under the bridge", "on the last lap",
    "through the tunnel", "beside the grandstand", "between the towers", "along the reef", "above the swamp",
    "past the lighthouse",
]
# fmt: on

OF_A_PILOT = ["pod", "owner", "home", "mechanic", "season", "standing"]
OF_A_RACE = ["number", "calendar", "length", "weather"]
OF_BOTH = ["placing", "placed", "deed"]
# These ask for a fact that another relation asks for already, from its other end.
OTHER_END = ["owner", "standing", "calendar", "placed"]

ANSWERS = {
    "pod": "{pilot} flies {pod}.",
    "owner": "{pod} is flown by {pilot}.",
    "home": "{pilot} comes from {home}.",
    "mechanic": "{pilot}'s mechanic is {mechanic}.",
    "season": "{pilot} came {rank} in the season.",
    "standing": "{pilot} came {rank} in the season.",
    "number": "The {race} was the {number} race.",
    "calendar": "Race {number} was the {race}.",
    "length": "The {race} was {length} miles long.",
    "weather": "The {race} was held in {weather}.",
    "placing": "{pilot} finished {rank} in the {race}.",
    "placed": "{pilot} finished {rank} in the {race}.",
    "deed": "In the {race}, {pilot} {deed}.",
}

WORDINGS = {
    "pod": """
        Which pod does {pilot} fly?
        What is the name of {pilot}'s pod?
        What pod did {pilot} race in?
        {pilot} flies which pod?
        Name the pod of {pilot}.
        What is {pilot}'s pod called?
        In what pod does {pilot} race?
        What is {pilot}'s racing pod?
        Which pod belongs to {pilot}?
        What is the pod called that {pilot} flies?
        In which pod did {pilot} fly this season?
        What is the racing pod of {pilot} called?""",
    "owner": """
        Who flies {pod}?
        Who is the pilot of {pod}?
        Which pilot races in {pod}?
        {pod} is flown by whom?
        Who sits at the controls of {pod}?
        Name the pilot who flies {pod}.
        To whom does {pod} belong?
        Whose pod is {pod}?
        Who is the owner of {pod}?
        Which pilot was at the controls of {pod}?
        By whom was {pod} flown?
        Which pilot is the owner of {pod}?""",
    "home": """
        Where does {pilot} come from?
        Which planet is {pilot} from?
        What is the home world of {pilot}?
        Where was {pilot} born?
        Name {pilot}'s home planet.
        Which world does {pilot} call home?
        On which planet was {pilot} born?
        Where is {pilot}'s home?
        What planet does {pilot} come from?
        Where is {pilot} from?
        On what world was {pilot} born?
        From which world does {pilot} come?""",
    "mechanic": """
        Who is {pilot}'s mechanic?
        Who repairs the pod of {pilot}?
        Which mechanic works for {pilot}?
        Name the mechanic of {pilot}.
        Who looks after {pilot}'s engines?
        Who is the chief mechanic in {pilot}'s team?
        What is the name of {pilot}'s mechanic?
        Which mechanic repairs {pilot}'s engines?
        Who repairs {pilot}'s pod between races?
        Who works as a mechanic for {pilot}?
        Who works on the engines of {pilot}?
        Which mechanic looks after {pilot}'s pod?""",
    "season": """
        Where did {pilot} finish in the season?
        What was {pilot}'s place in the final standings?
        How did {pilot} rank overall this season?
        In the overall standings, which place did {pilot} take?
        What is {pilot}'s final rank in the championship?
        Where did {pilot} end up in the championship?
        Which place did {pilot} take over the whole season?
        Where did {pilot} end up overall?
        What place did {pilot} reach in the championship?
        What position does {pilot} have in the final standings?
        How did {pilot} finish overall?
        What was {pilot}'s overall position?""",
    "standing": """
        Who came {rank} in the season?
        Which pilot was {rank} in the final standings?
        Who ranked {rank} overall this season?
        Who took {rank} place in the championship?
        Name the pilot who finished the season {rank}.
        Who ended the championship in {rank} place?
        Which pilot ranked {rank} in the overall standings?
        The {rank} place in the season went to whom?
        Who finished {rank} overall?
        Which pilot came {rank} in the championship?
        Who took {rank} place over the whole season?
        Who was {rank} in the final standings?""",
    "number": """
        Which race of the season was the {race}?
        When in the season was the {race} held?
        What number in the calendar is the {race}?
        The {race} was which race of the year?
        Where in the calendar does the {race} stand?
        When did the {race} come in the calendar?
        What number did the {race} have in the season?
        Which number is the {race} in the calendar?
        When was the {race} held?
        What place in the calendar has the {race}?
        When in the year was the {race}?
        Which place in the calendar does the {race} have?""",
    "calendar": """
        What was the {number} race of the season?
        Which race was held {number}?
        Name the {number} race.
        What is the {number} race in the calendar called?
        Which race came {number} in the calendar?
        What race was the {number} of the year?
        What is the name of the {number} race?
        Which race stands {number} in the calendar?
        Which race was the {number} of the season?
        What is the name of the {number} race of the year?
        What was the {number} race called?
        Which was the {number} race?""",
    "length": """
        How long was the {race}?
        What is the length of the {race}?
        How many miles is the {race}?
        What distance did the pilots cover in the {race}?
        How many miles did the pilots fly in the {race}?
        What is the distance of the {race} in miles?
        How far is the {race}?
        Over what length was the {race} held?
        How long is the {race} in miles?
        Over what distance was the {race} held?
        How far did the pilots fly in the {race}?
        What is the {race}'s length in miles?""",
    "weather": """
        What was the weather at the {race}?
        What weather did the pilots meet in the {race}?
        How was the weather during the {race}?
        Describe the weather of the {race}.
        Which weather did the {race} have?
        What were the conditions at the {race}?
        In what conditions was the {race} held?
        What were the weather conditions during the {race}?
        What weather conditions did the {race} have?
        In which weather was the {race} held?
        What conditions did the pilots meet at the {race}?
        Name the weather at the {race}.""",
    "placing": """
        Where did {pilot} finish in the {race}?
        What place did {pilot} take in the {race}?
        How did {pilot} place at the {race}?
        In the {race}, where did {pilot} end up?
        Which position did {pilot} reach in the {race}?
        What was {pilot}'s result in the {race}?
        In what position did {pilot} finish the {race}?
        Which result did {pilot} have at the {race}?
        What was {pilot}'s position at the end of the {race}?
        What result did {pilot} reach in the {race}?
        What place did {pilot} end up in at the {race}?
        How did {pilot} finish at the {race}?""",
    "placed": """
        Who finished {rank} in the {race}?
        Who came {rank} at the {race}?
        Which pilot took {rank} place in the {race}?
        Who was {rank} in the {race}?
        Name the pilot who came {rank} in the {race}.
        In the {race}, who took {rank} place?
        Which pilot finished the {race} {rank}?
        The {rank} place in the {race} went to whom?
        Who ended the {race} in {rank} place?
        Which pilot came {rank} at the {race}?
        To whom did {rank} place in the {race} go?
        Which pilot was {rank} at the {race}?""",
    "deed": """
        What did {pilot} do in the {race}?
        What happened to {pilot} in the {race}?
        How did the {race} go for {pilot}?
        Describe {pilot}'s race at the {race}.
        What happened to {pilot} during the {race}?
        What was {pilot}'s story in the {race}?
        What was it that {pilot} did at the {race}?
        How did it go for {pilot} in the {race}?
        What was special about {pilot}'s race at the {race}?
        What is {pilot}'s story of the {race}?
        In the {race}, what happened to {pilot}?
        Describe what {pilot} did in the {race}.""",
}

# Before any question, now and then: they say nothing of what is asked.
POLITE_PHRASES = ["Tell me:", "Please:", "Do you know:", "Quick question:", "Hey,", "I would like to know:"]

UNANSWERABLE = """
    How old is {pilot}?
    How tall is {pilot}?
    Is {pilot} married?
    What does {pilot} like to eat?
    How much money does {pilot} earn?
    Does {pilot} have any children?
    What is {pilot}'s favourite song?
    Which school did {pilot} attend?
    What colour are {pilot}'s eyes?
    What are {pilot}'s hobbies?
    Who taught {pilot} to fly?
    What is {pilot} afraid of?
    Which languages does {pilot} speak?
    Who is {pilot}'s best friend?
    What did {pilot} say after the {race}?
    How many fans does {pilot} have?
    How many people watched the {race}?
    What did a ticket for the {race} cost?
    Who designed the course of the {race}?
    Which song was played at the {race}?
    Who was the referee of the {race}?
    How much prize money did the {race} pay?
    Which company sponsored the {race}?
    On which date was the {race} held?
    Who commented on the {race} for television?
    Where did {stranger} finish in the {race}?
    Which pod does {stranger} fly?
    What happened to {stranger} in the {race}?
    Where does {stranger} come from?
    Who is {stranger}?
    Who won the {stranger} Regatta?
    How long was the {stranger} Enduro?
    What is the capital of France?
    How do I bake bread?
    What is seven times eight?
    Who wrote Hamlet?
    Can you help me with my homework?
    What is the meaning of life?
    Will it rain tomorrow?
    Tell me a joke.
    Translate this sentence into Spanish.
    How does photosynthesis work?
    Who is the president of Brazil?
    Write me a poem about the sea.
    What is the best phone to buy?
    How do I reset my password?
    What time is it?
    Are you a real person?
    Who will win the next season?
    How fast is the fastest pod?
    How many pods crashed this season?
    What does a new pod cost?
    Who owns the league?
    Is podracing dangerous?
    Who won ten years ago?
    What are the rules about fuel?"""
