-- A library: authors, books, readers and loans. Written for this project.
CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT, country TEXT, born INTEGER);
CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT, author_id INTEGER REFERENCES author(id), year INTEGER, pages INTEGER);
CREATE TABLE reader (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);
CREATE TABLE loan (book_id INTEGER REFERENCES book(id), reader_id INTEGER REFERENCES reader(id), day TEXT, returned INTEGER);
INSERT INTO author VALUES (1,'Marlow','Ireland',1931),(2,'Nishi','Japan',1950),(3,'Okoro','Nigeria',1944),(4,'Petit','France',1960),(5,'Quist','Ireland',1972);
INSERT INTO book VALUES (1,'Tide',1,1960,210),(2,'Harbour',1,1972,340),(3,'Snow Line',2,1985,180),(4,'Red Road',3,1979,420),(5,'Market Day',3,1990,260),(6,'The Garden',4,1995,150),(7,'Night Bus',2,2001,300);
INSERT INTO reader VALUES (1,'Uli',12),(2,'Vera',35),(3,'Wim',67),(4,'Xenia',29),(5,'Yann',41);
INSERT INTO loan VALUES (1,2,'2024-01-02',1),(2,2,'2024-01-20',1),(4,3,'2024-01-21',1),(4,4,'2024-02-03',1),(5,2,'2024-02-10',0),(3,1,'2024-02-11',1),(7,4,'2024-03-01',0),(4,2,'2024-03-04',0);
