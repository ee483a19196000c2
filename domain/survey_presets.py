"""What a survey of a kind asks unless somebody writes their own, in the languages that ship with us.

`{company}` stands for the workspace's name wherever a text is shown; in scripts from right to left it is isolated.
"""

from collections.abc import Mapping

from domain.questionnaires import SCALES, Question, Questionnaire, QuestionType
from models.surveys import SurveyKind

WHY = {
    "en": "What is the main reason for your answer?",
    "de": "Was ist der wichtigste Grund für Ihre Antwort?",
    "fr": "Quelle est la raison principale de votre réponse ?",
    "es": "¿Cuál es el motivo principal de su respuesta?",
    "it": "Qual è il motivo principale della sua risposta?",
    "nl": "Wat is de belangrijkste reden voor uw antwoord?",
    "pt": "Qual é o principal motivo da sua resposta?",
    "ar": "ما السبب الرئيسي لإجابتكم؟",
    "he": "מהי הסיבה העיקרית לתשובה שלכם?",
    "ja": "ご回答の主な理由をお聞かせください。",
}
TITLES = {
    "en": "How are we doing?",
    "de": "Ihre Meinung ist uns wichtig",
    "fr": "Votre avis nous intéresse",
    "es": "Su opinión nos importa",
    "it": "La sua opinione conta",
    "nl": "Hoe doen we het?",
    "pt": "A sua opinião conta",
    "ar": "رأيكم يهمّنا",
    "he": "דעתכם חשובה לנו",
    "ja": "ご意見をお聞かせください",
}
# The question, and what the ends of its scale say.
ASKED: Mapping[SurveyKind, tuple[dict[str, str], dict[str, str], dict[str, str]]] = {
    SurveyKind.NPS: (
        {
            "en": "How likely are you to recommend {company} to a friend or colleague?",
            "de": "Wie wahrscheinlich ist es, dass Sie {company} weiterempfehlen?",
            "fr": "Quelle est la probabilité que vous recommandiez {company} à un ami ou à un collègue ?",
            "es": "¿Qué probabilidad hay de que recomiende {company} a un amigo o colega?",
            "it": "Con quale probabilità consiglierebbe {company} a un amico o a un collega?",
            "nl": "Hoe waarschijnlijk is het dat u {company} aanbeveelt aan een vriend of collega?",
            "pt": "Qual é a probabilidade de recomendar {company} a um amigo ou colega?",
            "ar": "ما مدى احتمال أن توصوا صديقًا أو زميلًا بالتعامل مع \u2068{company}\u2069؟",
            "he": "מה הסיכוי שתמליצו על \u2068{company}\u2069 לחבר או לעמית?",
            "ja": "{company}をご友人や同僚に勧める可能性はどのくらいありますか。",
        },
        {
            "en": "Not at all likely",
            "de": "Sehr unwahrscheinlich",
            "fr": "Pas du tout probable",
            "es": "Nada probable",
            "it": "Per niente probabile",
            "nl": "Heel onwaarschijnlijk",
            "pt": "Nada provável",
            "ar": "غير محتمل إطلاقًا",
            "he": "כלל לא סביר",
            "ja": "まったく勧めない",
        },
        {
            "en": "Extremely likely",
            "de": "Sehr wahrscheinlich",
            "fr": "Très probable",
            "es": "Muy probable",
            "it": "Molto probabile",
            "nl": "Heel waarschijnlijk",
            "pt": "Muito provável",
            "ar": "محتمل جدًا",
            "he": "סביר מאוד",
            "ja": "強く勧める",
        },
    ),
    SurveyKind.CSAT: (
        {
            "en": "How satisfied are you with {company}?",
            "de": "Wie zufrieden sind Sie mit {company}?",
            "fr": "Dans quelle mesure êtes-vous satisfait(e) de {company} ?",
            "es": "¿En qué medida está satisfecho con {company}?",
            "it": "Quanto è soddisfatto di {company}?",
            "nl": "Hoe tevreden bent u over {company}?",
            "pt": "Quão satisfeito está com {company}?",
            "ar": "ما مدى رضاكم عن \u2068{company}\u2069؟",
            "he": "עד כמה אתם שבעי רצון מהשירות של \u2068{company}\u2069?",
            "ja": "{company}にどのくらいご満足いただいていますか。",
        },
        {
            "en": "Very dissatisfied",
            "de": "Sehr unzufrieden",
            "fr": "Très insatisfait",
            "es": "Muy insatisfecho",
            "it": "Molto insoddisfatto",
            "nl": "Heel ontevreden",
            "pt": "Muito insatisfeito",
            "ar": "غير راضٍ إطلاقًا",
            "he": "כלל לא שבעי רצון",
            "ja": "とても不満",
        },
        {
            "en": "Very satisfied",
            "de": "Sehr zufrieden",
            "fr": "Très satisfait",
            "es": "Muy satisfecho",
            "it": "Molto soddisfatto",
            "nl": "Heel tevreden",
            "pt": "Muito satisfeito",
            "ar": "راضٍ جدًا",
            "he": "שבעי רצון מאוד",
            "ja": "とても満足",
        },
    ),
    SurveyKind.CES: (
        {
            "en": "{company} made it easy for me to get what I needed.",
            "de": "{company} hat es mir leicht gemacht, zu bekommen, was ich brauchte.",
            "fr": "{company} m'a permis d'obtenir facilement ce dont j'avais besoin.",
            "es": "{company} me facilitó conseguir lo que necesitaba.",
            "it": "{company} mi ha reso facile ottenere ciò di cui avevo bisogno.",
            "nl": "{company} maakte het mij makkelijk om te krijgen wat ik nodig had.",
            "pt": "{company} facilitou-me obter aquilo de que precisava.",
            "ar": "سهّلت \u2068{company}\u2069 حصولي على ما أحتاج إليه.",
            "he": "היה לי קל לקבל את מה שהייתי צריך/ה מאת \u2068{company}\u2069.",
            "ja": "{company}のおかげで、必要なものを簡単に手に入れることができた。",
        },
        {
            "en": "Strongly disagree",
            "de": "Stimme gar nicht zu",
            "fr": "Pas du tout d'accord",
            "es": "Totalmente en desacuerdo",
            "it": "Per niente d'accordo",
            "nl": "Helemaal oneens",
            "pt": "Discordo totalmente",
            "ar": "لا أوافق إطلاقًا",
            "he": "כלל לא מסכים/ה",
            "ja": "まったくそう思わない",
        },
        {
            "en": "Strongly agree",
            "de": "Stimme voll zu",
            "fr": "Tout à fait d'accord",
            "es": "Totalmente de acuerdo",
            "it": "Pienamente d'accordo",
            "nl": "Helemaal eens",
            "pt": "Concordo totalmente",
            "ar": "أوافق تمامًا",
            "he": "מסכים/ה לחלוטין",
            "ja": "とてもそう思う",
        },
    ),
}


def preset(kind: SurveyKind) -> Questionnaire:
    """Return what a survey of a kind asks: its question, and why; nothing of the kind CUSTOM."""
    if kind not in ASKED:
        return Questionnaire()
    text, least_label, most_label = ASKED[kind]
    least, most = SCALES[kind]
    scored = Question(
        key="score",
        type=QuestionType.SCALE,
        text=text,
        required=True,
        least=least,
        most=most,
        least_label=least_label,
        most_label=most_label,
    )
    return Questionnaire(title=TITLES, questions=(scored, Question(key="reason", type=QuestionType.TEXT, text=WHY)))
