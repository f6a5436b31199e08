"""Words that say nothing in a question, by Snowball language. Indexing keeps them.

Function words only: articles, pronouns, auxiliaries, prepositions, conjunctions.
"""

from __future__ import annotations

__all__ = ["STOPWORDS"]

_WRITTEN = {
    "english": """
        a about am an and any are as at be been being but by can could d did do does doing
        for from had has have having he her hers him his how i if in into is it its ll m me
        my of on or our ours re s shall she should so such t than that the their theirs them
        then there these they this those to too us ve was we were what when where which who
        whom whose why will with would you your yours
        """,
    "german": """
        aber als am an auch auf aus bei bin bis bist da dann das dass dem den der des die
        dies diese diesem diesen dieser dieses doch du durch ein eine einem einen einer eines
        er es für hat hatte hatten ich ihr ihre im in ist ja kann man mein mit nach noch nur
        ob oder sein seine sich sie sind so über um und uns vom von vor war waren warum was
        wie wenn wer wir wird wo wurde zu zum zur
        """,
    "french": """
        à ai as au aux avec ce ces cette c comme comment d dans de des du elle elles en es est
        et eu il ils j je l la le les leur leurs lui m ma mais me mes mon n nos notre nous on
        ont ou où par pour pourquoi qu quand que quel quelle qui s sa se ses si son sont sur t
        ta te tes toi ton tu un une vos votre vous y
        """,
    "spanish": """
        a al como cómo con cuando cuándo de del desde donde dónde e el él ella ellas ellos en
        entre era es esa ese eso esta está estas este esto estos fue ha han hay la las le les
        lo los me mi mis muy ni no nos o para pero por porque qué que quien se si sin sobre
        son su sus te tu tus u un una unas uno unos y ya yo
        """,
    "italian": """
        a ad agli ai al alla alle allo anche c che chi ci come con cosa da dagli dai dal dalla
        dalle de dei degli del della delle dello di dove e è ed era gli ha hanno i il in io l
        la le lei lo loro lui ma mi ne negli nei nel nella nelle noi non o per perché più quando
        quello questa questo sono su sua sul sulla suo ti tra tu un una uno vi voi
        """,
    "portuguese": """
        a à ao aos as às até com como da das de dela dele do dos e é ela elas ele eles em entre
        era essa esse esta está este eu foi há isso isto já lhe mais mas me meu minha muito na
        nas nem no nos nós o os ou para pela pelas pelo pelos por porque qual quando que quem
        se sem ser seu sua são só também te tem um uma você
        """,
    "dutch": """
        aan al als bij dan dat de der deze die dit doen door een en er had heb hebben heeft het
        hij hoe hun ik in is je kan maar me met mij mijn naar niet nog nu of om omdat onder ons
        ook op over te tegen toch toen tot u uit uw van voor waar waarom wanneer was wat we wel
        werd wie wij worden wordt zal ze zich zij zijn zo
        """,
}

STOPWORDS: dict[str, frozenset[str]] = {
    language: frozenset(words.split()) for language, words in _WRITTEN.items()
}
"""By Snowball language."""
