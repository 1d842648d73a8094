"""Short and other forms of forenames to one form, so that Bill and William compare equal.

An equality test needs classes, so each form belongs to one name only, the most likely one in the United Kingdom: `chris` is
Christopher, although some are Christines. Different spellings of a name are listed with its short forms.
"""

from functools import lru_cache
from typing import Final

from blindmatch.protocol.linkage.normalise.text import CACHED

_FORMS: Final = """
aaron: aron arron ron-aaron
abdul: abdool abdel
abigail: abbie abby abbey abi abigale gail gayle
abraham: abe abram ibrahim
adam: addie
adelaide: addy adele
adrian: ade adrien
agnes: aggie nessie
ahmed: ahmad ahmet achmed
aidan: aiden aden
alan: al allan allen alun
albert: bert bertie alb
alexander: alex alec alick alistair alasdair alastair alister sandy sasha xander lex aleksander alexandr aleksandr
alexandra: alexa sandra lexi lexie aleksandra
alfred: alf alfie alfy
alice: alys ally alicia alisha
alison: allison alyson ally-alison
amanda: mandy manda
amelia: millie milly amelie
amy: aimee ami
andrea: andie
andrew: andy drew andreas andrzej andrei andrey
angela: angie ange angelina
ann: anne anna annie nan nancy nanette anita hannah hanna
annabel: annabelle bella
anthony: tony ant antony anton antonio
antonia: toni
archibald: archie archy baldie
arthur: art artie
audrey: audra
augustus: gus august augustine
ayesha: aisha aysha aishah ayeesha aaisha
barbara: barb babs barbie barbra
barnaby: barney barnabas
barry: baz barrie
bartholomew: bart
beatrice: bea beattie trixie beatrix
benjamin: ben benny benji benjy
bernadette: bernie bernadet
bernard: barnard
bethany: beth bethan
beverley: bev beverly
bradley: brad
brandon: bran
brenda: bren
brian: bryan bryn
bridget: bridie biddy brigid bridgit
bruce: brucie
calvin: cal
cameron: cam
caroline: carol carrie carolyn carole caz carolina
catherine: catrin kasia cath cathy kate katie katy kathy kath kathryn katherine katharine catharine cathryn kit kitty kay kathleen cathleen katarzyna ekaterina
cecilia: cissy cecily celia cis
charles: charlie charley chas chuck chaz carlos karl carl
charlotte: lottie lotty charlene char
christine: christina chrissie chrissy tina kirsty kirstie kristina christiana kristine
christopher: chris kit-christopher topher kris christy cristopher kristopher christoph
clara: clare claire clair
clifford: cliff
clive: cliv
colin: col collin
constance: connie
cornelius: con neil-cornelius corny
craig: kraig
cynthia: cindy cyndi
cyril: cy
daniel: dan danny daniele
danielle: dani daniela daniella
darren: daz darran darryn
david: dave davey davie dai davy dafydd dewi
dean: deano
deborah: debbie deb debby debra debora
denise: denice
dennis: den denny denis
derek: del derrick deryck derick
desmond: des
diana: di dianne diane dianna
dominic: dom dominick nic-dominic
donald: don donny
dorothy: dot dottie dolly dorothea dora thea
douglas: doug dougie duggie
dmitry: dmitri dmitriy dimitri dima dimitry dimitrios
duncan: dunc
edith: edie
edmund: ned-edmund edmond
edward: ed eddie eddy ted teddy ned neddy eduard
edwin: edwyn
eileen: aileen ilene
elaine: lainey
eleanor: ellie elly ella nell nellie nelly nora eleanora elinor elena
elizabeth: liz lizzie lizzy beth-elizabeth betty bess bessie betsy eliza elisabeth libby lisa lise liza elsie lisbeth lilibet elspeth buffy elzbieta
ellen: helen helena elen
emily: em emmie emmy emilie emilia
emma: emm
eric: erik rick-eric
ernest: ernie
esther: ester hester hettie
eugene: gene evgeny yevgeny
euan: ewan ewen owen-euan
evelyn: evie eve evelina
ezekiel: zeke
fatima: fatimah fatema fatma
felicity: flick fliss felicia
ferdinand: ferdie
fiona: fi ffion
florence: flo florrie flossie
frances: fran fanny francesca franny francine
francis: frank frankie francisco franco frans
franklin: franklyn
frederick: fred freddie freddy frederic fredrick fredric friedrich frederik fryderyk
gabriel: gabe
gabrielle: gabby gabriella gaby
gareth: gaz garth
gary: garry gaz-gary
gavin: gav
gemma: jemma gem
geoffrey: geoff jeff jeffrey jeffery geoffery
george: georgie geordie jerzy jorge georg
georgina: georgia georgiana gina
gerald: gerry jerry gerard ger jerald
geraldine: ged
gertrude: gertie trudy trudie
gilbert: gil
gillian: gill gilly jill jillian
glenn: glen glyn
gordon: gordie gord
grace: gracie
graham: graeme grahame gra
gregory: greg gregor gregg
guy: guido
gwendoline: gwen gwendolen gwendolyn gwenda
harold: hal
harriet: hattie harriett harrie
hassan: hasan hassen
hazel: haze
heather: hev
henrietta: etta hetty
henry: harry hank hal-henry harri henri henrik
herbert: herb herbie
hilary: hillary hil
horace: horatio
howard: howie
hubert: bert-hubert
hugh: hughie huey huw hugo shug
humphrey: humph
hussein: husain hussain hossein husayn
ian: iain ean
imogen: immy immie
irene: rene
isaac: ike issac izaak
isabel: isabella isobel isabelle izzy issy bel belle ishbel izzie
isaiah: isiah
isla: islay
ivan: vanya
ivor: ifor
jacob: jake jakob jacques jakub
jacqueline: jackie jacqui jaqueline jacquelyn jacky
james: jim jimmy jimmie jamie jem jas hamish seamus jaime
jane: janey janie jayne
janet: jan jannet jeanette janette jeannette
janice: janis jannice
jason: jase jay
jasmine: jas-jasmine jasmin yasmin yasmine
jean: jeanie jeannie jeanne
jemima: mima
jennifer: jen jenny jenni jenna jenifer jennie
jeremy: jez jem-jeremy jeremiah jerome
jessica: jess jessie jessi
joan: joanie siobhan
joanna: jo joanne johanna joann
jocelyn: joss
jodie: jody jodi
john: jack johannes johnny johnnie jon jonny sean shaun shawn johan johann ian-john ivor-john jock juan giovanni jan-john ioan eoin
jonathan: jonathon johnathan jonty jonathen
joseph: joe joey jo-joseph jos josef yusuf yousef yosef jose giuseppe youssef yusef
josephine: josie jose-josephine
joshua: josh
joyce: joy
judith: judy jude jodi-judith judi
julia: julie jules juliet juliette
julian: jools
justin: just
karen: karin caren karon
kayleigh: kayley kaylee
keith: kieth
kelly: kelley kellie
kenneth: ken kenny kenney
kerry: kerrie keri
kevin: kev
khadija: khadijah khadeeja
khalid: khaled
kieran: ciaran kieron keiran
kimberley: kim kimberly kimmy
krzysztof: krzys krzystof
laura: lauren lori laurie-laura lorna-laura
laurence: lawrence larry laurie lawrie lol loz lorenzo
leah: lea
leonard: len lenny leonhard leo leon
leslie: les lesley lesly
lewis: lew louis louie lou lewie luis
lionel: lyonel
lilian: lily lillian lil lilly
linda: lynda lindy lyn lynn lynne
lindsay: lindsey linsey lynsey linzi
lorraine: lorain loraine
louise: lulu louisa lou-louise
lucy: lucie luce lucinda lucia
luke: lukas lucas luc
lydia: liddy
mabel: may-mabel
madeleine: maddie maddy madeline madelaine madge-madeleine
magdalena: magda lena
malcolm: malc mal
marcus: mark marc marco marek
margaret: malgorzata gosia maggie meg megan peggy peg madge marge margie greta rita daisy marjorie margery margret maisie mairead margarita margot
maria: marie mary mariam maryam maureen moira mae may molly polly mollie mia-maria marion marian marianne miriam maire moyra
marilyn: marylin marlyn marilynn
martin: marty martyn
martha: mattie-martha patty-martha
matilda: tilly tilda mattie tillie
matthew: matt mat matty mathew matteo mateusz
maurice: mo-maurice morris moritz
maxwell: max maximilian maxim
melanie: mel
melissa: missy lissa
melvin: melvyn
michael: mike mick mickey micky mikey mitch michal mikhail misha mihai miguel
michaela: mikaela
michelle: shell michele chelle
mildred: millie-mildred
miles: myles milo
mohammed: mohamed muhammad muhammed mohammad mohamad mohd md mohamud mehmet mahomet muhamed mhmd mo
mustafa: mustapha
natalie: nat nathalie natalia natasha tasha nataliya
nathan: nate nathaniel nath
neil: neal neill niall nial
nicholas: nick nicky nic nicolas nicholaus nicola-nicholas niklas colin-nicholas nikolai nikolay nico
nicola: nikki nicole nichola niki nicolette
nigel: nige
noel: nowell
norman: norm
oliver: ollie olly olivier ol
olivia: liv livvy olive
oscar: oskar
omar: umar omer
osman: usman uthman othman
oswald: oz ozzie
pamela: pam pammy
patricia: pat pattie patsy trish tricia trisha patti patty
patrick: paddy pat-patrick padraig patrik rick-patrick
paul: paulie pawel pablo paolo pavel
paula: pauline
penelope: penny pen
percival: percy perce
peter: pete petar pedro piotr pyotr pieter petr
philip: phil phillip pip philippe filip
philippa: pippa phillippa philipa
phoebe: phebe
phyllis: phil-phyllis phylis
piers: pearce
prudence: prue
quentin: quintin quinton
rachel: rachael rach rachelle rae rachell
ralph: rafe ralf
raymond: ray raimond
rebecca: becky becca bex rebekah beccy becki
reginald: reg reggie rex
rhys: reece rees reese
richard: rick ricky dick richie dickie rich ricardo ritchie dicky ryszard
robert: rob bob bobby robbie robby bobbie robin bert-robert rab rabbie roberto rupert
roberta: bobbie-roberta
roderick: rod roddy roderic
rodney: rodders
roger: rodge rodger hodge
roland: rowland rollo roly
ronald: ron ronnie ronny
rosemary: rosie rose rosemarie rosa rosalind ros roz rosalyn
rowena: rowenna
roy: roi
russell: russ rus rusty russel
ruth: ruthie
samantha: sam-samantha sammie
samuel: sam sammy sami
sarah: sara sally sal sadie zara sarra sallie
saul: sol-saul
scott: scot scotty
sebastian: seb bastian sebastien
sergei: sergey serge sergio
sharon: shaz sharron shazza
sheila: shelagh sheelagh
shirley: shirl
sidney: sid syd sydney
silvia: sylvia sylvie
simon: si simeon szymon
sinead: shinead
solomon: sol solly suleiman sulaiman
sophia: sophie sofia soph zofia
stanley: stan
stella: estelle stell
stephanie: steph stef stephany steffi stefanie
stephen: steve steven stevie stephan stefan steph-stephen etienne ste
syed: sayed sayyid saeed-syed
stuart: stu stewart stew
susan: sue susie suzy suzanne susannah sukie suzie susanna zuzanna
tabitha: tabby
tamara: tammy tam-tamara
terence: terry tel terrance terrence tezza
teresa: theresa tess terri tessa tessie therese terrie
thelma: thel
theodore: theo teodor teddy-theodore theodor fyodor
thomas: tom tommy thom tam tomas tomasz
timothy: tim timmy timmothy
tobias: toby tobi tobie
tracey: tracy trace traci tracie
trevor: trev
ursula: ursie
valerie: val valery
vanessa: nessa ness
vera: veronika
vernon: vern
veronica: ronnie-veronica vron
victor: vic viktor
victoria: vicky vicki vicci tori vikki victorya vickie
vincent: vince vinny vinnie vincente
violet: vi viola
virginia: ginny ginnie ginger
vivian: viv vyvyan vivienne
vladimir: volodymyr vlad vova
wallace: wally
walter: wal walt wat
wayne: wain
wendy: wend
wilfred: wilf wilfrid
wilhelmina: mina minnie
william: bill billy will willy willie liam wilhelm gwilym bil guillaume wm
winifred: winnie win freda
winston: win-winston
yvonne: evonne vonnie
yosif: iosif
youssouf: yusouf
zainab: zaynab zeinab zaineb
zachary: zach zack zak zac zachariah
zoe: zoey zowie
"""


def _table(text: str) -> dict[str, str]:
    """Form to name. `form-name` records that a form also belongs to another name, which keeps it."""
    table: dict[str, str] = {}
    for line in text.strip().splitlines():
        name, _, forms = line.partition(":")
        for form in forms.split():
            if "-" not in form:
                table[form] = name
    return table


TABLE: Final = _table(_FORMS)
"""Form of a forename to the name that represents all its forms."""
_SHORTENED: Final = {
    "chas": "charles", "geo": "george", "jno": "john", "jos": "joseph", "benj": "benjamin", "saml": "samuel", "danl": "daniel",
    "robt": "robert", "richd": "richard", "edwd": "edward", "alexr": "alexander", "fredk": "frederick", "thos": "thomas", "eliz": "elizabeth",
    "margt": "margaret", "cathne": "catherine", "jas": "james", "xtopher": "christopher", "matw": "matthew", "michl": "michael",
    "nathl": "nathan", "patk": "patrick", "andw": "andrew", "abm": "abraham", "hy": "henry", "wm": "william",
}  # fmt: skip
"""Abbreviations of forenames in registers."""
TABLE.update(_SHORTENED)


@lru_cache(maxsize=CACHED)
def canonical(forename: str) -> str:
    """The name that represents all forms of one forename: `bill` gives `william`; an unknown name is returned unchanged.

    Args:
        forename: one word as `names.forenames` yields it.
    """
    return TABLE.get(forename, forename)
