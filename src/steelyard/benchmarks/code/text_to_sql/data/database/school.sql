-- A school: teachers, courses, pupils and marks. Written for this project.
CREATE TABLE teacher (id INTEGER PRIMARY KEY, name TEXT, subject TEXT, salary INTEGER);
CREATE TABLE course (id INTEGER PRIMARY KEY, title TEXT, teacher_id INTEGER REFERENCES teacher(id), room TEXT, hours INTEGER);
CREATE TABLE pupil (id INTEGER PRIMARY KEY, name TEXT, grade INTEGER, town TEXT);
CREATE TABLE mark (pupil_id INTEGER REFERENCES pupil(id), course_id INTEGER REFERENCES course(id), value REAL);
INSERT INTO teacher VALUES (1,'Arp','maths',5200),(2,'Bell','music',4100),(3,'Cho','maths',4800),(4,'Diaz','art',3900),(5,'Ende','physics',5600);
INSERT INTO course VALUES (1,'Algebra',1,'A1',4),(2,'Geometry',3,'A2',3),(3,'Choir',2,'M1',2),(4,'Drawing',4,'K1',2),(5,'Optics',5,'P1',3),(6,'Statistics',1,'A1',2);
INSERT INTO pupil VALUES (1,'Finn',7,'Ulm'),(2,'Gina',7,'Ulm'),(3,'Hugo',8,'Bonn'),(4,'Ines',8,'Ulm'),(5,'Juri',9,'Kiel'),(6,'Kaja',9,'Bonn');
INSERT INTO mark VALUES (1,1,4.5),(1,3,5.0),(2,1,5.5),(2,2,6.0),(3,2,3.5),(3,5,4.0),(4,1,5.0),(4,4,5.5),(5,5,6.0),(5,6,5.0),(5,1,4.0);
